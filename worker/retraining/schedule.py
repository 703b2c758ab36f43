"""When a retraining is due: at the times of a cron line, and after so many corrections. Each slot is run once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cronsim import CronSim
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.domain.retrainings import Occupied, Slot
from db.progress import StageProgress
from db.session import transaction
from db.settings import Settings
from db.store.dataset_sources import corrected_since
from db.store.retrainings import in_force_since, is_run, learnt_up_to
from db.store.sql import database_now_s
from worker.retraining.retrain import RetrainOutcome, RetrainRequest, Steps, retrain
from worker.steps.step_process import run_step

CRON = "cron"
CORRECTIONS = "corrections"


@dataclass(frozen=True)
class Due:
    """A retraining that is due. why: for people."""

    slot: Slot
    why: str


@dataclass(frozen=True)
class Outlook:
    """What the schedule says now. due: what is to be run at once; next_at: the next time of the cron line, UTC.

    corrected: images decided on since the last retraining. wanted: how many make one due, 0 for none.
    """

    cron: str
    since: datetime | None
    next_at: datetime | None
    corrected: int
    wanted: int
    due: Due | None


def outlook(session: Session, settings: Settings, *, now: datetime) -> Outlook:
    """Return what the schedule says at this moment, UTC; the caller commits (a new setting is in force from now on)."""
    learnt = learnt_up_to(session)
    corrected = corrected_since(session, learnt)
    since = next_at = due = None
    if settings.retrain_cron:
        since = in_force_since(session, CRON, settings.retrain_cron, now=now)
        next_at = next(CronSim(settings.retrain_cron, now))
        due = _cron_due(session, settings.retrain_cron, since=since, now=now)
    if due is None and settings.retrain_after and corrected >= settings.retrain_after:
        slot = Slot(CORRECTIONS, f"after {learnt}")
        if not is_run(session, slot):
            due = Due(slot, f"{corrected} images were corrected since the last retraining")
    return Outlook(settings.retrain_cron, since, next_at, corrected, settings.retrain_after, due)


def look(engine: Engine, settings: Settings) -> Outlook:
    """Return what the schedule says now, by the database's clock: schedulers' clocks need not agree."""
    with transaction(engine) as session:
        return outlook(session, settings, now=datetime.fromtimestamp(database_now_s(session), UTC))


def retrain_if_due(
    engine: Engine, settings: Settings, ask: RetrainRequest, *, progress: StageProgress, steps: Steps = run_step
) -> RetrainOutcome | Occupied | None:
    """Return what came of the retraining that is due, None where none is.

    Raises:
        TaffrailError: as `retrain`.
    """
    due = look(engine, settings).due
    if due is None:
        return None
    return retrain(engine, settings, replace(ask, why=due.why, slot=due.slot), progress=progress, steps=steps)


def _cron_due(session: Session, cron: str, *, since: datetime, now: datetime) -> Due | None:
    """Return the newest time that has come; one that was missed is made up for, several are made up for once."""
    minute = now.replace(second=0, microsecond=0)
    newest: datetime = next(CronSim(cron, minute + timedelta(minutes=1), reverse=True))  # at this minute or before
    if newest <= since:
        return None
    slot = Slot(CRON, newest.isoformat(timespec="minutes"))
    return None if is_run(session, slot) else Due(slot, f"the schedule {cron!r} at {slot.due}")
