"""Retrainings in the store: one at a time, each slot once, and a dead one's place is free again."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Select, and_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.domain.retrainings import HeldRetraining, Occupied, Retraining, RetrainingState, Slot
from db.store.dataset_sources import newest_correction_id
from db.store.sql import database_now_s, upsert
from db.tables.datasets import RetrainingRow, ScheduleRow

# A scheduled retraining whose process died this often is not the machine's bad luck.
MAX_ATTEMPTS = 3
_PLAIN = {"synchronize_session": False}
# These say nothing of the corrections they began with: the next retraining has them still to take in.
_UNFINISHED = (RetrainingState.RUNNING, RetrainingState.STOPPED, RetrainingState.ABANDONED)


def begin_retraining(
    session: Session,
    *,
    why: str,
    holder: str,
    now_s: float,
    lease_s: float,
    slot: Slot | None = None,
    is_dead: Callable[[str], bool] = lambda holder: False,
) -> HeldRetraining | Occupied:
    """Return a retraining as this process's own, or why it may not begin. The caller commits.

    is_dead: whether a holder is known to have died, though its lease has not run out.
    """
    try:
        with session.begin_nested():
            occupied = _free_the_place(session, now_s=now_s, is_dead=is_dead)
            return occupied or _take(session, why, holder, now_s + lease_s, slot)
    except IntegrityError:
        return Occupied("another retraining began at the same moment")


def renew(session: Session, held: HeldRetraining, *, lease_until_s: float) -> bool:
    """Return whether the retraining is still this process's; its lease is longer then."""
    later = update(RetrainingRow).where(_is_ours(held)).values(lease_until=lease_until_s)
    return _one(session.execute(later, execution_options=_PLAIN))


def end_retraining(
    session: Session,
    held: HeldRetraining,
    state: RetrainingState,
    *,
    note: str,
    dataset_id: int | None = None,
    model_id: str | None = None,
) -> bool:
    """Return whether the retraining was still this process's to end; the caller registers a model only then."""
    values = {
        "state": state,
        "token": None,
        "lease_until": None,
        "note": note,
        "dataset_id": dataset_id,
        "model_version_id": model_id,
        "finished_at": datetime.now(UTC),
    }
    return _one(session.execute(update(RetrainingRow).where(_is_ours(held)).values(values), execution_options=_PLAIN))


def list_retrainings(session: Session, *, limit: int = 100) -> list[Retraining]:
    """Return the last retrainings, the newest first."""
    rows = session.scalars(select(RetrainingRow).order_by(RetrainingRow.id.desc()).limit(limit))
    return [_retraining(row) for row in rows]


def is_run(session: Session, slot: Slot) -> bool:
    """Return whether nothing is to be done about a slot: it was run, or runs now under a lease."""
    row = session.scalars(_of_slot(slot)).one_or_none()
    if row is None:
        return False
    if row.state == RetrainingState.RUNNING:
        return (row.lease_until or 0.0) >= database_now_s(session)
    return _is_settled(row)


def learnt_up_to(session: Session) -> int:
    """Return the newest correction that a finished retraining took in, 0 before the first one."""
    query = select(RetrainingRow.newest_correction_id).where(RetrainingRow.state.not_in(_UNFINISHED))
    return session.scalar(query.order_by(RetrainingRow.newest_correction_id.desc()).limit(1)) or 0


def _free_the_place(session: Session, *, now_s: float, is_dead: Callable[[str], bool]) -> Occupied | None:
    running = session.scalars(
        select(RetrainingRow).where(RetrainingRow.state == RetrainingState.RUNNING).with_for_update()
    ).one_or_none()
    if running is None:
        return None
    if (running.lease_until or 0.0) >= now_s and not is_dead(running.holder):
        since = _utc(running.started_at).isoformat(timespec="seconds")
        return Occupied(f"a retraining runs already, by {running.holder} since {since} ({running.why})")
    running.state, running.token, running.lease_until = RetrainingState.ABANDONED, None, None
    running.note, running.finished_at = f"its process ({running.holder}) died", datetime.now(UTC)
    session.flush()
    return None


def _take(
    session: Session, why: str, holder: str, lease_until_s: float, slot: Slot | None
) -> HeldRetraining | Occupied:
    row = session.scalars(_of_slot(slot).with_for_update()).one_or_none() if slot is not None else None
    if row is not None:
        if _is_settled(row):
            return Occupied(f"{why}: was run already, {row.state}")
        row.attempts += 1
        row.finished_at, row.note = None, ""
    else:
        row = RetrainingRow(schedule=slot.schedule if slot else None, due_slot=slot.due if slot else None)
        session.add(row)
    row.state, row.why, row.holder, row.lease_until = RetrainingState.RUNNING, why, holder, lease_until_s
    row.token, row.started_at = secrets.token_hex(16), datetime.now(UTC)
    row.newest_correction_id = newest_correction_id(session)
    session.flush()
    return HeldRetraining(row.id, row.token)


def _is_settled(row: RetrainingRow) -> bool:
    """Whether a scheduled retraining came to an end of its own; one that died or was stopped begins anew."""
    unfinished = row.state in (RetrainingState.ABANDONED, RetrainingState.STOPPED)
    return not unfinished or row.attempts >= MAX_ATTEMPTS


def _of_slot(slot: Slot) -> Select[RetrainingRow]:
    return select(RetrainingRow).where(RetrainingRow.schedule == slot.schedule, RetrainingRow.due_slot == slot.due)


def _is_ours(held: HeldRetraining) -> ColumnElement[bool]:
    return and_(
        RetrainingRow.id == held.retraining_id,
        RetrainingRow.token == held.token,
        RetrainingRow.state == RetrainingState.RUNNING,
    )


def _one(result: object) -> bool:
    return int(getattr(result, "rowcount", 0)) == 1


def _retraining(row: RetrainingRow) -> Retraining:
    return Retraining(
        retraining_id=row.id,
        state=RetrainingState(row.state),
        why=row.why,
        slot=Slot(row.schedule, row.due_slot) if row.schedule and row.due_slot else None,
        attempts=row.attempts,
        holder=row.holder,
        newest_correction_id=row.newest_correction_id,
        dataset_id=row.dataset_id,
        model_id=row.model_version_id,
        note=row.note,
        started_at=_utc(row.started_at).isoformat(),
        finished_at=_utc(row.finished_at).isoformat() if row.finished_at else None,
    )


def _utc(moment: datetime) -> datetime:
    # SQLite gives back times without their zone; all of ours are UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def in_force_since(session: Session, name: str, setting: str, *, now: datetime) -> datetime:
    """Return since when a schedule has had this setting: from now on where it is new or was changed.

    The caller commits.
    """
    statement = upsert(session, ScheduleRow).values(name=name, setting=setting, since=now)
    changed = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"setting": statement.excluded.setting, "since": statement.excluded.since},
        where=ScheduleRow.setting != statement.excluded.setting,
    )
    session.execute(changed)
    since = session.scalars(select(ScheduleRow.since).where(ScheduleRow.name == name)).one()
    # SQLite gives back times without their zone; all of ours are UTC.
    return since if since.tzinfo else since.replace(tzinfo=UTC)
