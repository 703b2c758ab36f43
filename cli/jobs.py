"""The commands on jobs: enqueue a folder, look at it, go on with it, ask again, let it be."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.cameras import find_in_job
from cli.shared.context import opened
from cli.shared.runtimes import RuntimeName, with_runtime
from cli.shared.watch import failed_files, job_as_json, job_line, shown_path, warn, watch_job, work_on

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from db.settings import Settings
    from worker.images.enqueue import Enqueued

_SHOWN_FAILURES = 10
_SHOWN_ESTIMATES = 5

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
JobId = Annotated[int, typer.Argument(help="The job's number, as `cli status` shows it.", min=1)]
Model = Annotated[str | None, typer.Option(help="The model version to use; without it the champion, always.")]


def enqueue(
    folder: Annotated[
        str,
        typer.Argument(metavar="DIR", help="Folder of images and videos, or a URL as s3://bucket/trip; recursively."),
    ],
    detach: Annotated[bool, typer.Option("--detach", help="Queue only; `cli worker` does the work.")] = False,
    model: Model = None,
    every: Annotated[
        str, typer.Option(metavar="TIME", help="Of videos, one frame in so long: 1s, 500ms, 2min; or all.")
    ] = "1s",
    changed: Annotated[
        bool, typer.Option("--changed", help="Of these frames, only those that show something new.")
    ] = False,
    stale: Annotated[
        bool,
        typer.Option(
            "--stale", help="Also ask the champion where an earlier model answered, or it itself at another fish size."
        ),
    ] = False,
    runtime: RuntimeName = None,
    as_json: AsJson = False,
) -> None:
    """Queue every image and video under DIR and show the progress; what is done is skipped, so repeat it at will."""
    from cli.shared.progress import progress_bar
    from worker.images.enqueue import enqueue_folder
    from worker.images.frame_choice import FrameChoice, parse_every

    try:
        choice = FrameChoice(parse_every(every), changed)
    except ValueError as error:
        raise typer.BadParameter(f"--every {error}") from None

    settings, engine = opened()
    settings = with_runtime(settings, runtime)
    chosen, said = _require_model(engine, model)
    for line in said if not as_json else []:
        warn(line)
    _hold_what_corrections_say(engine, chosen)
    with progress_bar("files", quiet=as_json) as bar:
        task = bar.add_task("looking", total=None)
        done = enqueue_folder(
            engine,
            settings,
            os.fsencode(folder),
            model=model,
            choice=choice,
            progress=lambda found: bar.update(task, completed=found),
        )
    _tell(done, as_json=as_json)
    find_in_job(engine, settings, done.job_id, os.fsencode(folder), quiet=as_json)
    unseen = _unseen_cameras(engine, done.job_id, chosen)
    for line in unseen if not as_json else []:
        warn(line)
    if stale:
        _ask_champion(engine, settings, done.job_id, as_json=as_json)
    scan = {"skipped": done.skipped.as_json(), "problems": _problems(done)}
    try:
        work_on(engine, settings, done.job_id, detach=detach, as_json=as_json, scan=scan)
    finally:
        if not as_json:
            _tell_fish_sizes(engine, done.job_id)


def resume(job: JobId, as_json: AsJson = False) -> None:
    """Go on with a job that was stopped: sends again what waits, and shows the progress."""
    from db.session import transaction
    from db.store.jobs import make_batches

    settings, engine = opened()
    with transaction(engine) as session:
        make_batches(session, job, batch_items=settings.batch_items)
    work_on(engine, settings, job, detach=False, as_json=as_json)


def retry(job: JobId, as_json: AsJson = False) -> None:
    """Ask again for a job's failed, quarantined and cancelled images."""
    from db.session import transaction
    from db.store.jobs import make_batches, retry_job

    settings, engine = opened()
    with transaction(engine) as session:
        count = retry_job(session, job)
        make_batches(session, job, batch_items=settings.batch_items)
    if not as_json:
        typer.echo(f"job {job}: {count} images are asked again")
    work_on(engine, settings, job, detach=False, as_json=as_json)


def cancel(job: JobId, as_json: AsJson = False) -> None:
    """Cancel what of a job still waits; what is done is kept."""
    from db.session import transaction
    from db.store.jobs import cancel_job

    _, engine = opened()
    with transaction(engine) as session:
        count = cancel_job(session, job)
    typer.echo(json.dumps({"job": job, "cancelled": count}) if as_json else f"job {job}: {count} images cancelled")


def status(
    job: Annotated[int | None, typer.Argument(help="One job; without it, all.", min=1)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until the job is finished.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show jobs and how far they are; of one job also the files without a result, and why."""
    from db.session import reading
    from db.store.champion_items import count_stale
    from db.store.jobs import get_job, list_jobs

    _, engine = opened()
    if watch and job is not None:
        watch_job(engine, None, job, quiet=as_json)
    with reading(engine) as session:
        jobs = [get_job(session, job)] if job is not None else list_jobs(session)
        stale = count_stale(session, [one.job_id for one in jobs])
        failed = failed_files(session, job, limit=None if as_json else _SHOWN_FAILURES) if job is not None else None
    if as_json:
        more = failed.as_json() if failed is not None else {}
        told = [{**job_as_json(one), "stale": stale.get(one.job_id, 0), **more} for one in jobs]
        typer.echo(json.dumps(told, indent=2))
    elif not jobs:
        typer.echo("no jobs yet; `cli enqueue DIR` makes one")
    for one in jobs if not as_json else []:
        earlier = (
            f"  ({stale[one.job_id]} answered by an earlier model or at another fish size)"
            if one.job_id in stale
            else ""
        )
        typer.echo(job_line(one) + earlier)
    for line in failed.lines() if failed is not None and not as_json else []:
        typer.echo(line)


def _unseen_cameras(engine: Engine, job_id: int, model: str) -> list[str]:
    """Return a line where a job's cameras are not among those that the model learnt from."""
    from db.session import reading
    from db.store.caveats import said_of_cameras

    with reading(engine) as session:
        return said_of_cameras(session, job_id, model)


def _ask_champion(engine: Engine, settings: Settings, job_id: int, *, as_json: bool) -> None:
    from db.session import transaction
    from db.store.champion_items import ask_stale_again
    from db.store.jobs import make_batches

    with transaction(engine) as session:
        asked = ask_stale_again(session, job_id)
        make_batches(session, job_id, batch_items=settings.batch_items)
    if not as_json:
        typer.echo(
            f"job {job_id}: {asked} images that an earlier model answered, or at another fish size, are asked again"
        )


def _hold_what_corrections_say(engine: Engine, model: str) -> None:
    """Let what was labelled or corrected since say how large each camera shows its fish, and how sure its boxes are."""
    from db.session import transaction
    from db.store.box_shifts import refresh_box_shifts
    from db.store.fish_sizes import sizes_from_labels

    with transaction(engine) as session:
        sizes_from_labels(session)
        refresh_box_shifts(session, model)


def _tell_fish_sizes(engine: Engine, job_id: int) -> None:
    """Say which cameras' fish sizes are estimates, and how many answers another size has made stale."""
    from db.session import reading
    from db.store.champion_items import count_stale
    from db.store.fish_sizes import estimated_in_job

    with reading(engine) as session:
        estimates, stale = estimated_in_job(session, job_id), count_stale(session, [job_id]).get(job_id, 0)
    for camera, size in estimates[:_SHOWN_ESTIMATES]:
        typer.echo(f"camera {camera}: fish size estimated, {size.fish_px:.0f} pixels in a frame of 640 x 360")
    if estimates:
        typer.echo(
            f"{len(estimates)} sizes are estimates; three boxes on a camera, or `cli cameras scale`, tell better"
        )
    if stale:
        typer.echo(f"{stale} images were answered by an earlier model or at another fish size; --stale asks again")


def _require_model(engine: Engine, model: str | None) -> tuple[str, list[str]]:
    """Return the model that will answer, and what it says against itself, a line each.

    Raises:
        NotFoundError: there is no such model, or none that serves.
    """
    from db.errors import NotFoundError
    from db.session import reading
    from db.store.model_versions import champion_id, has_model, list_models, said_against

    with reading(engine) as session:
        if model is not None and not has_model(session, model):
            raise NotFoundError(f"model {model!r}: there is no such model version; `cli models list` shows them")
        chosen = model or champion_id(session)
        if chosen is None:
            way = "`cli labels import` and `cli train` make the first one"
            for waiting in list_models(session)[:1]:
                blind = f"{waiting.model_id} has not learnt to see fish"
                way = f"{blind}; `cli models promote {waiting.model_id} --force` lets it serve"
            raise NotFoundError(f"there is no model yet that serves; {way}")
        return chosen, said_against(session, [chosen])


def _problems(done: Enqueued) -> list[dict[str, str]]:
    return [{"place": shown_path(path), "problem": text} for path, text in done.problems]


def _tell(done: Enqueued, *, as_json: bool) -> None:
    if as_json:
        return
    seen = done.registered
    typer.echo(
        f"job {done.job_id}: {seen.new} new, {seen.changed} changed, {seen.known} known, {done.unreadable} unreadable"
    )
    if done.skipped.text():
        warn(done.skipped.text())
    for path, text in done.problems[:_SHOWN_FAILURES]:
        warn(f"{shown_path(path)}: {text}")
