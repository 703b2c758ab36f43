"""After a change of the champion: flagged images that nobody was shown yet are inferred again, so ranked anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.session import reading
from db.settings import Settings
from db.store.champion_items import ask_flagged_again
from db.store.jobs import get_job, make_batches
from worker.delivery.monitor import Monitor
from worker.delivery.reconcile import reconcile
from worker.delivery.supervise import Supervisor

_LOOK_EVERY_S = 0.25


def ask_flagged(session: Session, settings: Settings, *, former: str | None) -> list[int]:
    """Return the jobs whose flagged images wait for the new champion, in batches of their own. The caller commits."""
    if former is None:
        return []
    job_ids = ask_flagged_again(session, former, below=settings.flag_below)
    for job_id in job_ids:
        make_batches(session, job_id, batch_items=settings.batch_items)
    return job_ids


def work_off(engine: Engine, settings: Settings, job_ids: Sequence[int], *, tell: Callable[[str], None]) -> None:
    """See to it that what waits gets done: by the site's workers, or with the embedded default by one of ours, now.

    Raises:
        WorkerError: our worker dies as soon as it starts. QueueError: the broker is away; nothing is lost.
    """
    if not job_ids:
        return
    reconcile(engine, settings, lost_after_s=0.0)
    if settings.broker is not None:
        return
    with Supervisor(engine, settings) as supervisor:
        monitor = Monitor(engine, settings, tell=tell, supervisor=supervisor)
        while _waiting(engine, job_ids):
            monitor.keep()
            time.sleep(_LOOK_EVERY_S)  # the database has no event to wait for


def _waiting(engine: Engine, job_ids: Sequence[int]) -> int:
    with reading(engine) as session:
        return sum(get_job(session, job_id).counts.pending for job_id in job_ids)
