"""Watches a job to its end: the bar, the workers of the embedded default, and what is told when it is over."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import typer

from cli.shared.terminal import say
from db.errors import TaffrailError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from db.domain.jobs import Job
    from db.settings import Settings
    from worker.delivery.monitor import Monitor
    from worker.delivery.supervise import Supervisor

_LOOK_EVERY_S = 0.25
# Something is wrong with the site and nothing gets done for so long: a person must look.
_GIVE_UP_S = 60.0
_SHOWN_FAILURES = 10


class WorkStopped(TaffrailError):
    """The work cannot go on as things are; the job waits."""


def work_on(
    engine: Engine,
    settings: Settings,
    job_id: int,
    *,
    detach: bool,
    as_json: bool,
    scan: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Send what waits; without a broker of its own let a worker of ours do it; show the progress and the end.

    scan: what the look at the folder came to, for the JSON document.
    """
    from worker.inference.settle_neighbours import settle_job

    _work(engine, settings, job_id, detach=detach, as_json=as_json)
    # A worker does this after the last batch; one that was killed in between left it to us.
    with _told_when_stopped(job_id):
        settle_job(engine, job_id)
    conclude(engine, job_id, as_json=as_json, scan=scan)


def watch_job(
    engine: Engine, settings: Settings | None, job_id: int, *, supervisor: Supervisor | None = None, quiet: bool
) -> None:
    """Show a job's progress until nothing of it waits. settings: None only looks, and keeps nothing going.

    Raises:
        WorkStopped: our own workers cannot go on, and say why.
    """
    from cli.shared.progress import progress_bar
    from db.errors import DatabaseError
    from db.session import reading
    from db.store.jobs import get_job
    from worker.delivery.monitor import Monitor

    monitor = Monitor(engine, settings, tell=warn, supervisor=supervisor) if settings is not None else None
    finished, moved_s, stage = -1, time.monotonic(), ""
    with progress_bar("images", quiet=quiet) as bar:
        task = bar.add_task(f"job {job_id}", total=None)
        while True:
            try:
                with reading(engine) as session:
                    counts = get_job(session, job_id).counts
            except DatabaseError as error:
                if monitor is None:
                    raise
                monitor.trouble(error)
            else:
                bar.update(task, completed=counts.finished, total=counts.total)
                if not counts.pending:
                    return
                if counts.finished != finished:
                    finished, moved_s = counts.finished, time.monotonic()
            if monitor is not None:
                monitor.keep()
                before, stage = stage, supervisor.stage if supervisor is not None else ""
                bar.update(task, description=f"job {job_id}{', ' * bool(stage)}{stage}")
                if before and not stage:  # the rate is of images, not of the model's loading
                    bar.reset(task, completed=finished, began=finished)
                _give_up_if_stuck(monitor, job_id, moved_s)
            time.sleep(_LOOK_EVERY_S)  # the database has no event to wait for


def _give_up_if_stuck(monitor: Monitor, job_id: int, moved_s: float) -> None:
    now_s = time.monotonic()
    if now_s - moved_s > _GIVE_UP_S and now_s - monitor.last_trouble_s < _GIVE_UP_S / 2:
        raise WorkStopped(
            f"{monitor.last_trouble}; nothing is lost, `cli resume {job_id}` goes on when that is repaired"
        )


def warn(text: str) -> None:
    """Tell in one yellow line what is wrong while the work goes on."""
    say(text, fg=typer.colors.YELLOW, err=True)


def conclude(engine: Engine, job_id: int, *, as_json: bool, scan: Mapping[str, object] = MappingProxyType({})) -> None:
    """Say what came of a job, failures by their reasons (JSON: all of them); exit code 1 where there are any."""
    from db.session import reading
    from db.store.caveats import said_of_images
    from db.store.jobs import get_job, notes

    with reading(engine) as session:
        job = get_job(session, job_id)
        failed = failed_files(session, job_id, limit=None if as_json else _SHOWN_FAILURES)
        unlike = said_of_images(session, job_id)
        noted = notes(session, job_id, limit=None if as_json else _SHOWN_FAILURES)
    if as_json:
        told = {
            "cautions": unlike,
            **failed.as_json(),
            "notes": [{"file": shown_path(path), "note": text} for path, text in noted],
        }
        typer.echo(json.dumps({**job_as_json(job), **told, **scan}))
    else:
        typer.echo(job_line(job))
        for line in unlike:
            warn(line)
        for path, text in noted:
            warn(f"  used all the same: {shown_path(path)}: {text}")
        for line in failed.lines():
            warn(line)
    if job.counts.bad:
        raise typer.Exit(1)


@dataclass(frozen=True)
class FailedFiles:
    """A job's images without a result: how many by reason, and files with what was wrong, perhaps not all of them."""

    reasons: Mapping[str, int]
    files: Sequence[tuple[bytes, str]]

    def as_json(self) -> dict[str, object]:
        """Return them for a JSON document."""
        files = [{"file": shown_path(path), "failure": text} for path, text in self.files]
        return {"reasons": dict(self.reasons), "failures": files}

    def lines(self) -> list[str]:
        """Return them for people; says how many are not named."""
        left = sum(self.reasons.values()) - len(self.files)
        return [
            *(f"  {count} {reason}" for reason, count in self.reasons.items()),
            *(f"  {shown_path(path)}: {text}" for path, text in self.files),
            *([f"  ... and {left} more; cli status JOB --json names all"] if left else []),
        ]


def failed_files(session: Session, job_id: int, *, limit: int | None) -> FailedFiles:
    """Return a job's images without a result, so many of them named; all where limit is None."""
    from db.store.jobs import failure_reasons, failures

    return FailedFiles(failure_reasons(session, job_id), failures(session, job_id, limit=limit))


def job_line(job: Job) -> str:
    """Return a job in one line."""
    counts = job.counts
    parts = [f"{counts.done} of {counts.total} done"]
    parts += [
        f"{getattr(counts, name)} {name}"
        for name in ("pending", "failed", "quarantined", "cancelled")
        if getattr(counts, name)
    ]
    return f"job {job.job_id}  {counts.state}  {', '.join(parts)}  {shown_path(job.root)}"


def job_as_json(job: Job) -> dict[str, object]:
    """Return a job as a JSON document."""
    counts = job.counts
    return {
        "job": job.job_id,
        "folder": shown_path(job.root),
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


def shown_path(path: bytes) -> str:
    """Return a path that a terminal can show; names may hold anything."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _work(engine: Engine, settings: Settings, job_id: int, *, detach: bool, as_json: bool) -> None:
    from worker.delivery.reconcile import reconcile
    from worker.delivery.supervise import Supervisor

    reconcile(engine, settings, lost_after_s=0.0)
    if detach:
        if not as_json:
            typer.echo(f"queued; `cli worker` does the work, `cli status {job_id} --watch` shows it")
    elif settings.broker is not None:
        with _told_when_stopped(job_id):
            watch_job(engine, settings, job_id, quiet=as_json)
    elif _waits(engine, job_id):
        # Told inside: to leave the supervisor is to wait for its workers.
        with Supervisor(engine, settings) as supervisor, _told_when_stopped(job_id):
            watch_job(engine, settings, job_id, supervisor=supervisor, quiet=as_json)


@contextmanager
def _told_when_stopped(job_id: int) -> Iterator[None]:
    """Say what a Ctrl-C means for the job, before anything is waited for."""
    try:
        yield
    except KeyboardInterrupt:
        warn(f"stopping; what is done is kept, `cli resume {job_id}` goes on from here")
        raise


def _waits(engine: Engine, job_id: int) -> bool:
    from db.session import reading
    from db.store.jobs import get_job

    with reading(engine) as session:
        return get_job(session, job_id).counts.pending > 0
