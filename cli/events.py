"""The commands on events, every animal once: find them in a job, list them; train and evaluate what follows animals."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.context import opened
from cli.shared.steps import run_with_bar
from cli.shared.terminal import say

if TYPE_CHECKING:
    from db.domain.events import Event
    from worker.steps.requests import EvaluateEventsResult

_SHOWN = 20

app = typer.Typer(help="Count every animal once: events are animals, each with its images.", no_args_is_help=True)

Job = Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as `cli status` shows it.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


@app.command("find")
def find(
    job: Job,
    interval: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time between images that tell none, in the order of names: 5s, 500ms."),
    ] = None,
    tracker_only: Annotated[
        bool, typer.Option("--tracker-only", help="Go by overlap and motion alone, without the trained network.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the animals in JOB's images and store each once, with its images; finding again replaces what was found.

    What people said of events stays. Without a trained network (`cli train --events`) tracks alone are animals.
    """
    from worker.images.frame_choice import parse_every
    from worker.steps.requests import FIND_EVENTS, FindEventsRequest

    _settings, engine = opened()
    try:
        interval_s = parse_every(interval) if interval else None
    except ValueError as error:
        raise typer.BadParameter(f"--interval {error}") from None
    request = FindEventsRequest(job=job, interval_s=interval_s or None, alone=tracker_only)
    done = run_with_bar(FIND_EVENTS, request, quiet=as_json)
    events = _events(engine, job)
    if as_json:
        typer.echo(json.dumps({**done.plain(), "counts": _counts(events)}))
        return
    for note in done.notes:
        say(f"  {note}", fg=typer.colors.YELLOW, err=True)
    how = f"joined by {done.follower}" if done.follower else "tracks alone; cli train --events learns to join them"
    typer.echo(f"{done.events} animals in {done.images} images ({how})")
    _tell_counts(events)


@app.command("list")
def list_events(
    job: Job,
    camera: Annotated[str | None, typer.Option(help="Only events of this camera.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the events of JOB in the order in which they were found, and how many animals each camera saw."""
    from db.session import reading
    from db.store.cameras import check_camera

    _settings, engine = opened()
    if camera is not None:
        with reading(engine) as session:
            check_camera(session, camera)
    events = [event for event in _events(engine, job) if camera in (None, event.camera)]
    if as_json:
        typer.echo(json.dumps({"events": [_as_json(event) for event in events], "counts": _counts(events)}))
        return
    if not events:
        typer.echo(f"no events; `cli events find {job}` looks for them")
        return
    for event in events[:_SHOWN]:
        said = "" if event.reviewer is None else f", {event.state} by {event.reviewer}"
        when = event.started_at or "no clock"
        typer.echo(
            f"{event.number:5} {event.camera}  {when}  {event.species} {event.confidence:.2f}  "
            f"{event.images} images in {event.lasts_s:.1f} s  {event.path}{said}"
        )
    if len(events) > _SHOWN:
        typer.echo(f"... and {len(events) - _SHOWN} more; --json lists all")
    _tell_counts(events)


def train_events(*, epochs: int | None, seed: int, as_json: bool) -> None:
    """Train the network that follows animals; the newest one serves."""
    from worker.steps.requests import TRAIN_EVENTS, TrainEventsRequest

    opened()
    done = run_with_bar(TRAIN_EVENTS, TrainEventsRequest(epochs=epochs, seed=seed), quiet=as_json)
    if as_json:
        typer.echo(done.as_json())
        return
    typer.echo(
        f"follower {done.follower} serves, trained in {done.train_seconds:.0f} s; next: cli evaluate --events "
        "tells what it is worth, cli events find JOB counts animals"
    )


def evaluate_events(*, as_json: bool) -> None:
    """Tell what the network that serves is worth, beside simpler counts."""
    from worker.steps.requests import EVALUATE_EVENTS, EvaluateEventsRequest

    opened()
    done = run_with_bar(EVALUATE_EVENTS, EvaluateEventsRequest(), quiet=as_json)
    if as_json:
        typer.echo(done.as_json())
    else:
        _tell_figures(done)


def _events(engine: Any, job: int) -> list[Event]:
    from db.session import reading
    from db.store.events import events_of_job
    from db.store.jobs import get_job

    with reading(engine) as session:
        get_job(session, job)
        return events_of_job(session, job)


def _as_json(event: Event) -> dict[str, object]:
    return {**asdict(event), "state": str(event.state), "species": event.species}


def _counts(events: list[Event]) -> dict[str, dict[str, int]]:
    from db.domain.events import count_events

    return count_events(events)


def _tell_counts(events: list[Event]) -> None:
    for camera, species in _counts(events).items():
        typer.echo(f"  {camera}: {', '.join(f'{name} {count}' for name, count in species.items())}")


def _tell_figures(done: EvaluateEventsResult) -> None:
    typer.echo(f"follower {done.follower} on planned cameras that it did not learn from:")
    for one in done.rates:
        typer.echo(
            f"  {one.per_second:g} images a second: {one.events.once:.0%} of {one.events.animals} animals once, "
            f"count error {one.events.error:.2f} (the best simple count {one.best_baseline:.2f}), "
            f"{one.events.looks:.2f} looks an animal"
        )
