"""The scheduler: Celery's beat, which looks every minute whether a retraining is due, and keeps the queue in order.

Looking is cheap and done here; only what is due goes out: to the train queue, where a worker serves it, or with the
embedded default to a child process of ours. Any number of schedulers may run: the database decides who begins.
"""

from __future__ import annotations

import logging
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.beat import Scheduler, Service
from celery.schedules import schedule
from sqlalchemy import Engine

from db.errors import TaffrailError
from db.settings import Settings
from worker.delivery.app import RETRAIN_TASK, QueueName, count_messages, make_app, send_messages
from worker.delivery.own_process import WORKING_FOLDER, own_command, own_environment
from worker.delivery.reconcile import reconcile
from worker.retraining.schedule import Due, look
from worker.steps.requests import RETRAIN_DUE, DueRequest
from worker.steps.step_event import read_event

RECONCILE_EVERY_S = 15.0
_LOOK_EVERY_S = 15.0
_HEAR_EVERY_S = 1.0
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # so that all chores are done at once, then at their times
_CHORES = {"reconcile": RECONCILE_EVERY_S, "retrain": _LOOK_EVERY_S, "hear": _HEAR_EVERY_S}
_COMMAND = "cli scheduler"
_log = logging.getLogger("taffrail.scheduler")


class Chores:
    """What the scheduler does, by name. tell: one line for people."""

    def __init__(self, engine: Engine, settings: Settings, *, tell: Callable[[str], None]) -> None:
        self._engine = engine
        self._settings = settings
        self._tell = tell
        self._child: subprocess.Popen[str] | None = None
        self._told = ""

    def reconcile(self) -> None:
        """Send again what the queue has lost."""
        reconcile(self._engine, self._settings)

    def retrain(self) -> None:
        """Hand on a retraining that is due, unless one was handed on already."""
        due = look(self._engine, self._settings).due
        if due is None:
            return
        if self._settings.broker is None:
            self._run_in_child(due)
        elif not count_messages(QueueName.TRAIN, settings=self._settings):
            send_messages(RETRAIN_TASK, [1], queue=QueueName.TRAIN, settings=self._settings)
            self._tell_once(f"due: {due.why}; sent to the train queue")

    def hear(self) -> None:
        """Tell what came of our child's retraining, once it has ended."""
        if self._child is None or self._child.poll() is None:
            return
        assert self._child.stdout is not None and self._child.stdin is not None
        came = what_came(self._child.stdout.read()) or f"exit code {self._child.returncode}"
        self._child.stdin.close()
        self._child = None
        self._tell_once(f"retraining: {came}")

    def close(self) -> None:
        """End our child; what it had not finished begins anew with the next scheduler."""
        if self._child is not None:
            assert self._child.stdin is not None
            self._child.stdin.close()
            self._child.wait()

    def run(self, name: str) -> None:
        """Do one chore; a service that is away is told of, and asked again the next time."""
        try:
            {"reconcile": self.reconcile, "retrain": self.retrain, "hear": self.hear}[name]()
        except TaffrailError as error:
            self._tell_once(str(error))

    def _run_in_child(self, due: Due) -> None:
        if self._child is not None:
            return
        self._tell_once(f"due: {due.why}; begun")
        log = (self._settings.home / "retrain.log").open("a")
        # It ends when our end of its stdin closes, however we end.
        self._child = subprocess.Popen(
            own_command(RETRAIN_DUE.module),
            cwd=WORKING_FOLDER,
            env=own_environment(self._settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        log.close()
        assert self._child.stdin is not None
        self._child.stdin.write(DueRequest(command=_COMMAND).as_json() + "\n")
        self._child.stdin.flush()

    def _tell_once(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._tell(text)


def run_beat(engine: Engine, settings: Settings, *, tell: Callable[[str], None]) -> None:
    """Run beat until SIGTERM or Ctrl-C."""
    chores = Chores(engine, settings, tell=tell)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    service = Service(make_app(settings), scheduler_cls=_scheduler_of(chores), max_interval=1.0)
    try:
        service.start()
    finally:
        chores.close()


def _end(*_: object) -> None:
    raise SystemExit(0)  # beat ends its loop by it and returns


def _scheduler_of(chores: Chores) -> type[Scheduler]:
    class ChoreScheduler(Scheduler):  # type: ignore[misc]
        """Beat's own clockwork, with chores in the place of messages: only what is due is sent."""

        producer = None  # beat would connect to the broker at every tick

        def __init__(self, app: Celery, **options: Any) -> None:
            super().__init__(app=app, **{**options, "lazy": True})
            self.update_from_dict(
                {
                    name: {"task": name, "schedule": schedule(every_s), "last_run_at": _LONG_AGO}
                    for name, every_s in _CHORES.items()
                }
            )

        def apply_entry(self, entry: Any, producer: object = None) -> None:
            chores.run(entry.task)

    return ChoreScheduler


def what_came(events: str) -> str | None:
    """Return what the last line of a retraining's process says came of it; None of one that was killed before."""
    *_, last = events.strip().splitlines() or [""]
    event = read_event(last)
    if event is None:
        return None
    return event.error if event.result is None else RETRAIN_DUE.result.model_validate(event.result).came
