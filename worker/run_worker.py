"""The worker process: `python -m worker.run_worker NAME`, started and watched by worker.supervise."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from db.settings import get_settings


def main(name: str) -> None:
    """Serve the infer queue until SIGTERM, or until the supervisor that holds our stdin is gone."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    threading.Thread(target=_stop_with_supervisor, daemon=True).start()
    from worker.queue import INFER, make_app
    from worker.tasks import InferWorker

    settings = get_settings()
    app = make_app(settings)
    InferWorker(name, settings).register(app)
    # Solo: one process a device, no fork after TensorFlow; the supervisor sees deaths and hangs.
    app.Worker(
        pool="solo",
        queues=[INFER],
        hostname=name,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        loglevel="WARNING",
    ).start()


def _stop_with_supervisor() -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock would be held while the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1])
