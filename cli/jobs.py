"""The commands on jobs: enqueue a folder, look at it, go on with it, ask again, let it be."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import opened

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from db.domain.jobs import Job
    from db.settings import Settings
    from worker.enqueue import Enqueued
    from worker.supervise import Supervisor

_LOOK_EVERY_S = 0.25
_RECONCILE_EVERY_S = 5.0
_STALLED_S = 20.0
_SHOWN_FAILURES = 10

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
JobId = Annotated[int, typer.Argument(help="The job's number, as `cli status` shows it.", min=1)]
Model = Annotated[str | None, typer.Option(help="The model version to use; without it the champion, always.")]


def enqueue(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="The folder of pictures, or a URL as s3://bucket/trip; recursively.")
    ],
    detach: Annotated[bool, typer.Option("--detach", help="Queue only; `cli worker` does the work.")] = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Queue every picture under DIR and show the progress; what is done already is skipped, so repeat it at will."""
    from cli.progress import progress_bar
    from worker.enqueue import enqueue_folder

    settings, engine = opened()
    _require_model(engine, model)
    with progress_bar("files", quiet=as_json) as bar:
        task = bar.add_task("looking", total=None)
        done = enqueue_folder(
            engine,
            settings,
            os.fsencode(folder),
            model=model,
            progress=lambda found: bar.update(task, completed=found),
        )
    _tell(done, as_json=as_json)
    _work(engine, settings, done.job_id, detach=detach, as_json=as_json)


def resume(job: JobId, as_json: AsJson = False) -> None:
    """Go on with a job that was stopped: sends again what waits, and shows the progress."""
    from db.session import transaction
    from db.store.jobs import make_batches

    settings, engine = opened()
    with transaction(engine) as session:
        make_batches(session, job, batch_items=settings.batch_items)
    _work(engine, settings, job, detach=False, as_json=as_json)


def retry(job: JobId, as_json: AsJson = False) -> None:
    """Ask again for a job's failed, quarantined and cancelled pictures."""
    from db.session import transaction
    from db.store.jobs import make_batches, retry_job

    settings, engine = opened()
    with transaction(engine) as session:
        count = retry_job(session, job)
        make_batches(session, job, batch_items=settings.batch_items)
    if not as_json:
        typer.echo(f"job {job}: {count} pictures are asked again")
    _work(engine, settings, job, detach=False, as_json=as_json)


def cancel(job: JobId, as_json: AsJson = False) -> None:
    """Cancel what of a job still waits; what is done is kept."""
    from db.session import transaction
    from db.store.jobs import cancel_job

    _, engine = opened()
    with transaction(engine) as session:
        count = cancel_job(session, job)
    typer.echo(json.dumps({"job": job, "cancelled": count}) if as_json else f"job {job}: {count} pictures cancelled")


def status(
    job: Annotated[int | None, typer.Argument(help="One job; without it, all.", min=1)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until the job is finished.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show jobs and how far they are."""
    from db.session import reading
    from db.store.jobs import get_job, list_jobs

    _, engine = opened()
    if watch and job is not None:
        _watch(engine, None, job, supervisor=None, quiet=as_json)
    with reading(engine) as session:
        jobs = [get_job(session, job)] if job is not None else list_jobs(session)
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in jobs], indent=2))
    elif not jobs:
        typer.echo("no jobs yet; `cli enqueue DIR` makes one")
    for one in jobs if not as_json else []:
        typer.echo(_line(one))


def _require_model(engine: Engine, model: str | None) -> None:
    from db.errors import NotFoundError
    from db.session import reading
    from db.store.review_queue import champion_id, has_model

    with reading(engine) as session:
        if model is not None and not has_model(session, model):
            raise NotFoundError(f"model {model!r}: there is no such model version; `cli models list` shows them")
        if model is None and champion_id(session) is None:
            raise NotFoundError("there is no model yet; `cli labels import` and `cli train` make the first one")


def _tell(done: Enqueued, *, as_json: bool) -> None:
    if as_json:
        return
    seen = done.registered
    typer.echo(
        f"job {done.job_id}: {seen.new} new, {seen.changed} changed, {seen.known} known, {done.unreadable} unreadable"
    )
    for path, text in done.problems[:_SHOWN_FAILURES]:
        typer.secho(f"{_shown(path)}: {text}", fg=typer.colors.YELLOW, err=True)


def _work(engine: Engine, settings: Settings, job_id: int, *, detach: bool, as_json: bool) -> None:
    from worker.reconcile import reconcile
    from worker.supervise import Supervisor

    reconcile(engine, settings, resend_after_s=0.0)
    if detach:
        if not as_json:
            typer.echo(f"queued; `cli worker` does the work, `cli status {job_id} --watch` shows it")
    elif settings.broker is not None:
        _watch(engine, settings, job_id, supervisor=None, quiet=as_json)
    elif _waits(engine, job_id):
        with Supervisor(engine, settings) as supervisor:
            _watch(engine, settings, job_id, supervisor=supervisor, quiet=as_json)
    _conclude(engine, job_id, as_json=as_json)


def _waits(engine: Engine, job_id: int) -> bool:
    from db.session import reading
    from db.store.jobs import get_job

    with reading(engine) as session:
        return get_job(session, job_id).counts.pending > 0


def _watch(
    engine: Engine, settings: Settings | None, job_id: int, *, supervisor: Supervisor | None, quiet: bool
) -> None:
    from cli.progress import progress_bar
    from db.session import reading
    from db.store.jobs import get_job
    from worker.reconcile import RESEND_AFTER_S, reconcile

    reconciled = moved = time.monotonic()
    finished = -1
    with progress_bar("images", quiet=quiet) as bar:
        task = bar.add_task(f"job {job_id}", total=None)
        while True:
            with reading(engine) as session:
                counts = get_job(session, job_id).counts
            bar.update(task, completed=counts.finished, total=counts.total)
            if not counts.pending:
                return
            now = time.monotonic()
            if counts.finished != finished:
                finished, moved = counts.finished, now
            died = supervisor.look() if supervisor else 0
            if settings is not None and (died or now - reconciled > _RECONCILE_EVERY_S):
                # Nothing moves though work waits: the messages may be lost, whoever lost them.
                stalled = now - moved > _STALLED_S
                reconcile(engine, settings, resend_after_s=_STALLED_S if stalled else RESEND_AFTER_S)
                reconciled = now
            time.sleep(_LOOK_EVERY_S)  # the database has no event to wait for


def _conclude(engine: Engine, job_id: int, *, as_json: bool) -> None:
    from db.session import reading
    from db.store.jobs import failures, get_job

    with reading(engine) as session:
        job = get_job(session, job_id)
        bad = failures(session, job_id, limit=_SHOWN_FAILURES)
    if as_json:
        typer.echo(json.dumps(_as_json(job)))
    else:
        typer.echo(_line(job))
        for path, text in bad:
            typer.secho(f"  {_shown(path)}: {text}", fg=typer.colors.YELLOW, err=True)
        if job.counts.bad > len(bad):
            typer.secho(f"  ... and {job.counts.bad - len(bad)} more", fg=typer.colors.YELLOW, err=True)
    if job.counts.bad:
        raise typer.Exit(1)


def _line(job: Job) -> str:
    counts = job.counts
    parts = [f"{counts.done} of {counts.total} done"]
    parts += [
        f"{getattr(counts, name)} {name}"
        for name in ("pending", "failed", "quarantined", "cancelled")
        if getattr(counts, name)
    ]
    return f"job {job.job_id}  {counts.state}  {', '.join(parts)}  {_shown(job.root)}"


def _as_json(job: Job) -> dict[str, object]:
    counts = job.counts
    return {
        "job": job.job_id,
        "folder": _shown(job.root),
        "model": job.model_version,
        "created_at": job.created_at,
        "state": str(counts.state),
        "total": counts.total,
        "done": counts.done,
        "pending": counts.pending,
        "failed": counts.failed,
        "quarantined": counts.quarantined,
        "cancelled": counts.cancelled,
    }


def _shown(path: bytes) -> str:
    text = path.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
