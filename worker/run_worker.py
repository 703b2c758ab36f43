"""The worker process: `python -m worker.run_worker NAME QUEUE`, started and watched by worker.delivery.supervise."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from celery import Celery

from db.errors import TaffrailError
from db.one_line import LOG_NAME, one_line
from db.settings import Settings, get_settings
from worker.delivery.app import RETRAIN_TASK, QueueName, make_app
from worker.delivery.checked_messages import refuse_compressed
from worker.delivery.worker_events import EventWriter
from worker.inference.load_networks import LoadInference, load_detector
from worker.inference.tasks import InferWorker

# What is in work when a stop is asked for has this long to get done; then it is given back at the next network call.
FINISH_S = 2.0
_log = logging.getLogger("taffrail.worker")


def main(name: str, serve: Callable[[str, Settings, EventWriter], None]) -> None:
    """Serve until SIGTERM, or until the supervisor that holds our stdin is gone."""
    os.umask(0o077)  # crops and messages are nobody else's, also in a HOME that others may look into
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    events = EventWriter(os.dup(1))
    os.dup2(2, 1)  # whatever a library prints must not be taken for an event
    threading.Thread(target=_stop_with_supervisor, daemon=True).start()
    try:
        serve(name, get_settings(), events)
    except Exception as error:
        # One line to whoever started us, and the whole of it into this worker's log.
        _log.critical("%s", one_line(error, log_file=_errors_log(), doing=f"worker {name}"))
        events.trouble(one_line(error, log_file=None))
        sys.exit(1)


def _errors_log() -> Path | None:
    try:
        return get_settings().home / LOG_NAME
    except TaffrailError:
        return None


def serve_infer(name: str, settings: Settings, events: EventWriter, *, load: LoadInference = load_detector) -> None:
    """Serve the infer queue; what is in work at the end is stored or given back."""
    worker = InferWorker(name, settings, events=events, load=load)
    app = make_app(settings)
    worker.register(app)
    run_consumer(app, name, QueueName.INFER, on_stop=worker.stop)
    worker.close()


def serve_train(name: str, settings: Settings, events: EventWriter) -> None:
    """Serve the train queue."""
    run_consumer(train_app(settings), name, QueueName.TRAIN)


def train_app(settings: Settings) -> Celery:
    """Return the app of a train worker: a message says only that something may be due, the database says what."""
    app = make_app(settings)

    def retrain(row_id: int) -> None:  # a function with a name: Celery takes no lambda
        _retrain_if_due(settings)

    app.task(name=RETRAIN_TASK, ignore_result=True)(retrain)
    return app


def _retrain_if_due(settings: Settings) -> None:
    from worker.retraining.retrain_due import what_came

    try:
        _log.warning("retraining: %s", what_came(settings, command="cli worker --queues train"))
    except TaffrailError as error:
        _log.error("retraining: %s", error)


def run_consumer(app: Celery, name: str, queue: QueueName, *, on_stop: Callable[[], None] = lambda: None) -> None:
    """Take messages from a queue until SIGTERM. on_stop: called when what was in work then has had its time."""
    from celery import signals

    def asked_to_stop(**_: object) -> None:
        timer = threading.Timer(FINISH_S, on_stop)
        timer.daemon = True
        timer.start()

    refuse_compressed()
    signals.worker_shutting_down.connect(asked_to_stop, weak=False)
    # Solo: one process a device, no fork after TensorFlow; the supervisor sees deaths and hangs.
    app.Worker(
        pool="solo",
        queues=[queue.value],
        hostname=name,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=not app.conf.worker_send_task_events,
        quiet=True,
        loglevel="WARNING",
    ).start()


def _stop_with_supervisor() -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock would be held while the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


SERVE = {QueueName.INFER: serve_infer, QueueName.TRAIN: serve_train}


if __name__ == "__main__":
    main(sys.argv[1], SERVE[QueueName(sys.argv[2])])
