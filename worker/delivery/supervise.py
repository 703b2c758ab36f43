"""Keeps worker processes alive: starts them, ends what hangs or grows, tells the database at once when one died."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from sqlalchemy import Engine

from db.errors import DatabaseError, TaffrailError
from db.session import transaction
from db.settings import Settings
from db.store.batches import give_back_all, mark_worker_dead
from worker.delivery.app import QueueName
from worker.delivery.devices import card_ids, environment_for, list_cards
from worker.delivery.own_process import own_command, own_environment
from worker.delivery.worker_process import WorkerProcess, resident_mib, start_worker

LOG_NAME = "worker.log"  # in HOME
GRACE_S = 30.0
# A worker that takes nothing for so long, while messages wait, has lost its connection without noticing.
IDLE_S = 60.0
_MAX_QUICK_DEATHS = 5
_QUICK_S = 20.0
_MEMORY_LOOKS_EVERY_S = 2.0


class WorkerError(TaffrailError):
    """Workers die as soon as they start: something of the installation, not of an image."""


@dataclass
class Supervisor:
    """A number of worker processes a queue. Use as a context; call `look` now and then.

    command: what is run, with a worker's name and queue behind it.
    """

    engine: Engine
    settings: Settings
    processes: dict[QueueName, int] = field(default_factory=lambda: {QueueName.INFER: 1})
    command: Sequence[str] = field(default_factory=lambda: own_command("worker.run_worker"))
    _running: list[WorkerProcess] = field(default_factory=list)
    _card_ids: list[str] = field(default_factory=list)
    _troubles: list[str] = field(default_factory=list)
    _quick_deaths: int = 0
    _memory_looked_s: float = 0.0

    def __enter__(self) -> Supervisor:
        self._card_ids = card_ids(os.environ, list_cards())
        self._running = [self._start(queue, place) for queue, count in self.processes.items() for place in range(count)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def look(self) -> int:
        """Return how many workers had died since the last look; each is replaced and its batches are split.

        Raises:
            WorkerError: workers die again and again right after their start.
        """
        for worker in self._running:
            self._troubles += worker.hear()
            if worker.in_work and worker.still_s > self.settings.lease_s:
                worker.kill(fault=f"its worker did not get on for {self.settings.lease_s:g} s")
        self._look_at_memory()
        dead = [worker for worker in self._running if worker.has_ended]
        for worker in dead:
            self._replace(worker)
        return sum(not worker.retired for worker in dead)

    def troubles(self) -> list[str]:
        """Return what workers said is wrong with the site since the last call, each text once."""
        found, self._troubles = list(dict.fromkeys(self._troubles)), []
        return found

    @property
    def stage(self) -> str:
        """What the workers are at before they answer anything: two or three words for people; '' once they work."""
        if any(worker.worked and not worker.loading for worker in self._running):
            return ""
        return "loading the model" if any(worker.loading for worker in self._running) else "starting a worker"

    def replace_idle(self) -> int:
        """Return how many workers were ended because they take nothing; call it while messages wait in the broker."""
        idle = [
            worker
            for worker in self._running
            if worker.queue is QueueName.INFER and not worker.in_work and worker.still_s > IDLE_S
        ]
        for worker in idle:
            self._troubles.append(f"{worker.name} took nothing for {IDLE_S:g} s while work waits; it is replaced")
            worker.kill(fault=None)
        return len(idle)

    def stop(self) -> None:
        """End every worker: each finishes its batches within the grace time, or they are given to others."""
        for worker in self._running:
            if worker.loading:  # it has looked at no image yet, and would not hear us before its model is there
                worker.kill(fault=None)
            else:
                worker.ask_to_end()
        deadline_s = time.monotonic() + GRACE_S
        for worker in self._running:
            worker.end_by(deadline_s)
            worker.retired = True
            with contextlib.suppress(DatabaseError):  # the lease ends what cannot be told now
                self._mark_dead(worker)
        self._running = []

    def process_ids(self) -> list[int]:
        """Return the process ids of the workers."""
        return [worker.process.pid for worker in self._running]

    @property
    def log_file(self) -> Path:
        """Where the workers' own words go."""
        return self.settings.home / LOG_NAME

    def _start(self, queue: QueueName, place: int) -> WorkerProcess:
        environment = {**own_environment(self.settings), **environment_for(place, self._card_ids)}
        return start_worker(self.command, queue, place, environment=environment, log_file=self.log_file)

    def _look_at_memory(self) -> None:
        if time.monotonic() - self._memory_looked_s < _MEMORY_LOOKS_EVERY_S:
            return
        self._memory_looked_s = time.monotonic()
        limit = self.settings.worker_memory_mib
        for worker in self._running:
            taken = resident_mib(worker.process.pid)
            if taken > 2 * limit:
                worker.kill(fault=f"its worker took more than {2 * limit} MiB of memory")
            elif taken > limit and not worker.retired:
                worker.retired = True
                worker.ask_to_end()

    def _replace(self, worker: WorkerProcess) -> None:
        worker.process.wait()
        quick = time.monotonic() - worker.started_s < _QUICK_S
        self._mark_dead(worker)
        # A worker that had work died of it or of something else than the installation.
        self._quick_deaths = self._quick_deaths + 1 if quick and not worker.worked and not worker.retired else 0
        if self._quick_deaths >= _MAX_QUICK_DEATHS:
            raise WorkerError(f"worker processes end right after their start; see {self.log_file}")
        self._running[self._running.index(worker)] = self._start(worker.queue, worker.place)

    def _mark_dead(self, worker: WorkerProcess) -> None:
        with transaction(self.engine) as session:
            if worker.retired:
                give_back_all(session, worker.name)
            else:
                mark_worker_dead(session, worker.name, reason=worker.fault or "its worker died")
        worker.close()
