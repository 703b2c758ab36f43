"""The command that does the work of the queue: `cli worker`."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from cli.context import opened

_LOOK_EVERY_S = 0.5
_RECONCILE_EVERY_S = 15.0


def worker(
    processes: Annotated[int, typer.Option(help="Worker processes: one a GPU, or one a machine without.", min=1)] = 1,
) -> None:
    """Run worker processes against the configured broker until SIGTERM or Ctrl-C; dead ones are replaced."""
    from db.errors import DatabaseError
    from worker.queue import QueueError
    from worker.reconcile import reconcile
    from worker.supervise import Supervisor

    settings, engine = opened()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Supervisor(engine, settings, processes=processes) as supervisor:
        typer.echo(f"{processes} worker processes; their log is {supervisor.log_file}", err=True)
        waited_s = _RECONCILE_EVERY_S
        while not stop.wait(_LOOK_EVERY_S):
            waited_s += _LOOK_EVERY_S
            try:
                died = supervisor.look()
                if died or waited_s >= _RECONCILE_EVERY_S:
                    waited_s = 0.0
                    reconcile(engine, settings)
            except (QueueError, DatabaseError) as error:
                typer.secho(f"{error}; trying again", fg=typer.colors.YELLOW, err=True)
