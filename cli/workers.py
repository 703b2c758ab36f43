"""The command that does the work of the queues: `cli worker`."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened
from cli.shared.runtimes import RuntimeName, with_runtime
from cli.shared.steps import run_with_bar
from cli.shared.watch import warn

if TYPE_CHECKING:
    from worker.delivery.app import QueueName

_LOOK_EVERY_S = 0.5


def worker(
    queues: Annotated[str, typer.Option(help="Queues to serve, with a comma: infer, train.")] = "infer",
    processes: Annotated[
        int | None,
        typer.Option(
            help="Infer processes; one a GPU, or one a machine without, where not given. Train has one.", min=1
        ),
    ] = None,
    runtime: RuntimeName = None,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Find how many images a network call and decoding threads are fastest here; end."),
    ] = False,
) -> None:
    """Run worker processes against the configured broker until SIGTERM or Ctrl-C; dead ones are replaced.

    With --tune images that are held go through the serving model in several ways, which takes a few minutes on two
    cores; workers on machines of this kind take the fastest one from then on. TAFFRAIL_NETWORK_BATCH overrides it.
    """
    if tune:
        tune_champion()
        return
    from worker.delivery.app import QueueName, count_messages
    from worker.delivery.devices import card_ids, list_cards
    from worker.delivery.monitor import Monitor
    from worker.delivery.supervise import Supervisor

    processes = processes or max(1, len(card_ids(os.environ, list_cards())))
    wanted = {name: processes if name is QueueName.INFER else 1 for name in _parse_queues(queues)}
    settings, engine = opened()
    settings = with_runtime(settings, runtime)
    count_messages(next(iter(wanted)), settings=settings)  # a broker that is not there is told before anything starts
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Supervisor(engine, settings, wanted) as supervisor:
        shown = ", ".join(f"{count} for {name}" for name, count in wanted.items())
        typer.echo(f"worker processes: {shown}; their log is {supervisor.log_file}", err=True)
        monitor = Monitor(engine, settings, tell=warn, supervisor=supervisor)
        while not stop.wait(_LOOK_EVERY_S):
            monitor.keep()


def tune_champion() -> None:
    """Find how this machine serves the champion fastest, and tell what was tried."""
    from worker.steps.requests import TUNE, TuneRequest

    opened()
    done = run_with_bar(TUNE, TuneRequest(model="champion"), quiet=False)
    typer.echo(f"{'images a call':>13} {'threads':>8} {'images/s':>9}")
    for one in done.pace.tried:
        typer.echo(f"{one.network_batch:13} {one.decode_threads:8} {one.images_per_s:9.2f}")
    typer.echo(
        f"model {done.model} is served {done.pace.network_batch} images a call, with {done.pace.decode_threads} "
        f"decoding threads, on machines of this kind ({done.file})"
    )


def _parse_queues(text: str) -> list[QueueName]:
    from worker.delivery.app import QueueName

    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [queue.value for queue in QueueName]
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"--queues {name!r}: wanted {', '.join(known)}, with a comma")
    if not names:
        raise typer.BadParameter(f"--queues: names none; wanted {', '.join(known)}, with a comma")
    return [QueueName(name) for name in dict.fromkeys(names)]
