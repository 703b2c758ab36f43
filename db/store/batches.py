"""Batches in the store: claim, finish, give back, split after a death; a worker's writes are guarded by its token."""

from __future__ import annotations

import secrets

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.domain.jobs import BatchState, Claim, ClaimedItem, ItemState
from db.store.jobs import add_batch
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.jobs import BatchRow, ItemRow, JobRow

DEATHS_ALONE = 3  # An image alone in its batch that killed its worker this often is the cause, not bad luck.
_CLOCK_SLACK_S = 60.0  # a server's clock is corrected now and then
_PLAIN = {"synchronize_session": False}
_UNCLAIMED = {"token": None, "lease_until": None, "sent_at": None}


def claim(
    session: Session, batch_id: int, *, worker: str, now_s: float, lease_s: float, untried_only: bool = False
) -> Claim | None:
    """Return the batch as this worker's own, or None where there is nothing (more) to do about it.

    untried_only: leave a batch that was given up before; it must be in work by itself, or its neighbours get the blame.
    """
    token = secrets.token_hex(16)
    free = and_(BatchRow.id == batch_id, BatchRow.state == BatchState.PENDING)
    taken = session.execute(
        update(BatchRow)
        .where(BatchRow.id.in_(_unlocked(and_(free, BatchRow.attempts == 0) if untried_only else free)))
        .values(
            state=BatchState.CLAIMED,
            token=token,
            worker=worker,
            lease_until=now_s + lease_s,
            sent_at=now_s,
            attempts=BatchRow.attempts + 1,
        )
        .returning(BatchRow.job_id, BatchRow.alone, BatchRow.attempts),
        execution_options=_PLAIN,
    ).one_or_none()
    if taken is None:
        return None
    job_id, alone, attempts = taken
    root, model_asked = session.execute(select(JobRow.root, JobRow.model_asked).where(JobRow.id == job_id)).one()
    return Claim(batch_id, token, bytes(root), model_asked or None, alone, attempts, _items(session, batch_id))


def close(session: Session, held: Claim) -> bool:
    """Return whether the batch was still this worker's to finish; the caller writes the results only then."""
    done = update(BatchRow).where(_is_ours(held)).values(state=BatchState.DONE, token=None, lease_until=None)
    return _count(session.execute(done, execution_options=_PLAIN)) == 1


def renew(session: Session, worker: str, *, now_s: float, lease_s: float) -> None:
    """Make a worker's leases run from now: it gets on with its batches."""
    mine = update(BatchRow).where(_held_by(worker)).values(lease_until=now_s + lease_s, sent_at=now_s)
    session.execute(mine, execution_options=_PLAIN)


def give_back(session: Session, held: Claim) -> bool:
    """Return whether the batch was given back; that a worker stopped says nothing against its images."""
    return _give_back(session, _is_ours(held)) == 1


def give_back_all(session: Session, worker: str) -> int:
    """Return how many batches a worker that was stopped gave back."""
    return _give_back(session, _held_by(worker))


def mark_dead(session: Session, held: Claim, *, reason: str) -> None:
    """Treat a claim as a death: of a batch that fails whatever is tried, the image at fault must be found."""
    if session.execute(select(BatchRow.id).where(_is_ours(held)).with_for_update()).one_or_none():
        _after_death(session, held.batch_id, reason=reason)


def mark_worker_dead(session: Session, worker: str, *, reason: str) -> int:
    """Return how many batches a dead worker held; they are split, or their image is counted against."""
    return _mark_all_dead(session, _held_by(worker), reason=reason)


def mark_expired_dead(session: Session, *, now_s: float) -> int:
    """Return how many leases had run out; one that was written later than now was written under another clock.

    A lease is as long as its holder's settings say; what this machine's say is no matter.
    The first time a batch waits again as it is: a machine that was switched off says nothing against its images.
    """
    expired = or_(BatchRow.lease_until < now_s, BatchRow.sent_at > now_s + _CLOCK_SLACK_S)
    held = and_(BatchRow.state == BatchState.CLAIMED, expired)
    first_time = and_(held, BatchRow.attempts <= 1, ~BatchRow.alone)
    again = update(BatchRow).where(BatchRow.id.in_(_unlocked(first_time)))
    again = again.values(state=BatchState.PENDING, **_UNCLAIMED)
    freed = session.execute(again, execution_options=_PLAIN)
    return _count(freed) + _mark_all_dead(session, held, reason="its worker did not answer while its lease ran")


def unsent(session: Session, *, sent_before_s: float | None, now_s: float | None = None) -> list[int]:
    """Return the pending batches that were never sent, or (given a time) last sent before it.

    now_s: one that was sent later than now was sent under another clock, and counts as well.
    """
    waits: ColumnElement[bool] = BatchRow.sent_at.is_(None)
    if sent_before_s is not None:
        waits = or_(waits, BatchRow.sent_at < sent_before_s)
    if now_s is not None:
        waits = or_(waits, BatchRow.sent_at > now_s)
    pending = and_(BatchRow.state == BatchState.PENDING, waits)
    return list(session.scalars(select(BatchRow.id).where(pending).order_by(BatchRow.id)))


def mark_sent(session: Session, batch_ids: list[int], *, now_s: float) -> None:
    """Remember when messages went out, so that only lost ones are sent again."""
    for start in range(0, len(batch_ids), 500):
        chunk = batch_ids[start : start + 500]
        session.execute(update(BatchRow).where(BatchRow.id.in_(chunk)).values(sent_at=now_s), execution_options=_PLAIN)


def forget_messages(session: Session) -> None:
    """Let everything unfinished wait as if never sent: in a restored database no message and no worker is left."""
    free = {"state": BatchState.PENDING, "token": None, "worker": None, "lease_until": None, "sent_at": None}
    unfinished = BatchRow.state.in_([BatchState.PENDING, BatchState.CLAIMED])
    session.execute(update(BatchRow).where(unfinished).values(free), execution_options=_PLAIN)


def _give_back(session: Session, held: ColumnElement[bool]) -> int:
    values = {"state": BatchState.PENDING, "attempts": BatchRow.attempts - 1, **_UNCLAIMED}
    return _count(session.execute(update(BatchRow).where(held).values(values), execution_options=_PLAIN))


def _mark_all_dead(session: Session, held: ColumnElement[bool], *, reason: str) -> int:
    dead = list(session.scalars(_unlocked(held)))
    for batch_id in dead:
        _after_death(session, batch_id, reason=reason)
    return len(dead)


def _unlocked(condition: ColumnElement[bool]) -> Select[int]:
    """The batches that nobody writes just now: a worker that froze while it did must not make others wait."""
    return select(BatchRow.id).where(condition).with_for_update(skip_locked=True)


def _after_death(session: Session, batch_id: int, *, reason: str) -> None:
    batch = session.get_one(BatchRow, batch_id)
    item_ids = list(session.scalars(select(ItemRow.id).where(_waits_in(batch_id))))
    batch.token, batch.lease_until, batch.sent_at = None, None, None
    if len(item_ids) > 1:
        batch.state = BatchState.SPLIT
        for item_id in item_ids:
            single = add_batch(session, batch.job_id, alone=True)
            session.execute(update(ItemRow).where(ItemRow.id == item_id).values(batch_id=single))
    elif batch.attempts < DEATHS_ALONE or not item_ids:
        batch.state = BatchState.PENDING if item_ids else BatchState.DONE
    else:
        batch.state = BatchState.DONE
        text = f"quarantined: alone in its batch, {batch.attempts} times {reason}"
        values = {"state": ItemState.QUARANTINED, "reason": "quarantined", "failure": text}
        session.execute(update(ItemRow).where(ItemRow.id == item_ids[0]).values(values))
    session.flush()


def _items(session: Session, batch_id: int) -> tuple[ClaimedItem, ...]:
    own = aliased(CameraRow)
    rows = session.execute(
        select(
            ItemRow.id,
            ItemRow.file_id,
            FolderRow.path,
            FileRow.name,
            func.coalesce(own.name, CameraRow.name),
            func.coalesce(own.fish_px, CameraRow.fish_px),
        )
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(CameraRow, CameraRow.id == FolderRow.camera_id)
        .outerjoin(ImageRow, ImageRow.id == FileRow.image_id)
        .outerjoin(own, own.id == ImageRow.camera_id)
        .where(_waits_in(batch_id))
        .order_by(ItemRow.id)
    )
    return tuple(
        ClaimedItem(item, file, folder.rstrip(b"/") + b"/" + name, camera, fish_px)
        for item, file, folder, name, camera, fish_px in rows
    )


def _waits_in(batch_id: int) -> ColumnElement[bool]:
    return and_(ItemRow.batch_id == batch_id, ItemRow.state == ItemState.PENDING)


def _is_ours(held: Claim) -> ColumnElement[bool]:
    return and_(BatchRow.id == held.batch_id, BatchRow.token == held.token, BatchRow.state == BatchState.CLAIMED)


def _held_by(worker: str) -> ColumnElement[bool]:
    return and_(BatchRow.state == BatchState.CLAIMED, BatchRow.worker == worker)


def _count(result: object) -> int:
    return int(getattr(result, "rowcount", 0))
