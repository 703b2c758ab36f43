"""Jobs in the store: a folder's files become items; counts, retry and cancel."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import Table, and_, bindparam, case, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from db.domain.files import FoundFile, Registered
from db.domain.jobs import BatchState, ItemState, Job, JobCounts
from db.errors import NotFoundError
from db.store.folders import path_digest, register_folders
from db.store.many_rows import insert_rows
from db.store.sql import upsert
from db.tables.images import FileRow, FolderRow, ImageRow
from db.tables.jobs import BatchRow, ItemRow, JobRow


def new_scan() -> int:
    """Return a number that marks the files of one look at a folder."""
    return secrets.randbits(52) + 1


def open_job(session: Session, root: bytes, *, model_asked: str | None) -> int:
    """Return the id of a folder's job, made if it is the first time."""
    digest, asked = path_digest(root), model_asked or ""
    row = {"root": root, "root_digest": digest, "model_asked": asked, "created_at": datetime.now(UTC)}
    session.execute(upsert(session, JobRow).on_conflict_do_nothing(), [row])
    return session.scalars(select(JobRow.id).filter_by(root_digest=digest, model_asked=asked)).one()


def register_files(session: Session, files: Sequence[FoundFile], *, root: bytes, scan: int) -> None:
    """Hold files as this look at the folder shows them; a changed file's content is unknown again."""
    folder_ids = register_folders(session, {found.folder for found in files}, root=root)
    rows = [
        {
            "folder_id": folder_ids[found.folder],
            "name": found.name,
            "size_bytes": found.size_bytes,
            "mtime_ns": found.mtime_ns,
            "scan": scan,
        }
        for found in files
    ]
    statement = upsert(session, FileRow)
    fresh = statement.excluded
    same = and_(FileRow.size_bytes == fresh.size_bytes, FileRow.mtime_ns == fresh.mtime_ns)
    changes = {
        "image_id": case((same, FileRow.image_id), else_=None),
        "size_bytes": fresh.size_bytes,
        "mtime_ns": fresh.mtime_ns,
        "scan": fresh.scan,
    }
    insert_rows(session, statement.on_conflict_do_update(index_elements=["folder_id", "name"], set_=changes), rows)


def register_items(session: Session, job_id: int, *, scan: int) -> Registered:
    """Make the files of one look at a folder this job's items; what is done and unchanged stays done."""
    lock_job(session, job_id)
    found = session.scalar(select(func.count()).select_from(FileRow).where(FileRow.scan == scan)) or 0
    changed = _ask_changed_again(session, job_id, scan=scan)
    files = select(literal(job_id), FileRow.id, literal(str(ItemState.PENDING)), FileRow.size_bytes, FileRow.mtime_ns)
    added = session.execute(
        upsert(session, ItemRow)
        .from_select(["job_id", "file_id", "state", "size_bytes", "mtime_ns"], files.where(FileRow.scan == scan))
        .on_conflict_do_nothing(),
        execution_options={"preserve_rowcount": True},
    )
    new = _rowcount(added)
    return Registered(new=new, changed=changed, known=found - new - changed)


def make_batches(session: Session, job_id: int, *, batch_items: int) -> int:
    """Return how many batches were made of the pending items that are in none."""
    lock_job(session, job_id)
    waiting = and_(ItemRow.job_id == job_id, ItemRow.state == ItemState.PENDING, ItemRow.batch_id.is_(None))
    item_ids = list(session.scalars(select(ItemRow.id).where(waiting).order_by(ItemRow.id)))
    chunks = [item_ids[start : start + batch_items] for start in range(0, len(item_ids), batch_items)]
    if not chunks:
        return 0
    new = [{"job_id": job_id, "state": BatchState.PENDING.value, "alone": False}] * len(chunks)
    batch_ids = session.scalars(insert(BatchRow).returning(BatchRow.id), new).all()
    items = cast(Table, ItemRow.__table__)
    within = and_(items.c.id >= bindparam("first"), items.c.id <= bindparam("last"))
    rows = [{"batch": one, "first": chunk[0], "last": chunk[-1]} for one, chunk in zip(batch_ids, chunks, strict=True)]
    given = update(items).where(waiting, within).values(batch_id=bindparam("batch"))
    session.connection().execute(given, rows)
    return len(chunks)


def add_batch(session: Session, job_id: int, *, alone: bool) -> int:
    """Return the id of a new pending batch."""
    values = {"job_id": job_id, "state": BatchState.PENDING, "alone": alone}
    return session.scalars(insert(BatchRow).values(values).returning(BatchRow.id)).one()


def lock_job(session: Session, job_id: int) -> int:
    """Hold a job against a second enqueue, retry or cancel at the same moment; SQLite's writers are alone anyway.

    Raises:
        NotFoundError: no such job.
    """
    held = session.scalars(select(JobRow.id).where(JobRow.id == job_id).with_for_update()).one_or_none()
    if held is None:
        raise NotFoundError(f"job {job_id}: there is no such job; `cli status` lists them")
    return held


def get_job(session: Session, job_id: int) -> Job:
    """Return a job with its counts.

    Raises:
        NotFoundError: no such job.
    """
    row = session.get(JobRow, job_id)
    if row is None:
        raise NotFoundError(f"job {job_id}: there is no such job; `cli status` lists them")
    return _job(row, _counts(session, [job_id]).get(job_id, JobCounts()))


def list_jobs(session: Session) -> list[Job]:
    """Return every job with its counts, the newest first."""
    rows = list(session.scalars(select(JobRow).order_by(JobRow.id.desc())))
    counts = _counts(session, [row.id for row in rows])
    return [_job(row, counts.get(row.id, JobCounts())) for row in rows]


def notes(session: Session, job_id: int, *, limit: int | None) -> list[tuple[bytes, str]]:
    """Return files of a job that were used though something of them was not as it should be, and what."""
    found = session.execute(
        select(FolderRow.path, FileRow.name, ImageRow.note)
        .select_from(ItemRow)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(ImageRow, ImageRow.id == FileRow.image_id)
        .where(ItemRow.job_id == job_id, ImageRow.note.is_not(None))
        .order_by(ItemRow.id)
        .limit(limit)
    )
    return [(folder + b"/" + name, note or "") for folder, name, note in found]


def failures(session: Session, job_id: int, *, limit: int | None) -> list[tuple[bytes, str]]:
    """Return files without a result and the reason, in the order they were found; all where limit is None."""
    bad = ItemRow.state.in_([ItemState.FAILED, ItemState.QUARANTINED])
    found = session.execute(
        select(FolderRow.path, FileRow.name, ItemRow.failure)
        .select_from(ItemRow)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .where(ItemRow.job_id == job_id, bad)
        .order_by(ItemRow.id)
        .limit(limit)
    )
    return [(folder + b"/" + name, failure or "") for folder, name, failure in found]


def failure_reasons(session: Session, job_id: int) -> dict[str, int]:
    """Return how many items ended without a result, by reason, the commonest first."""
    bad = ItemRow.state.in_([ItemState.FAILED, ItemState.QUARANTINED])
    grouped = select(ItemRow.reason, func.count()).where(ItemRow.job_id == job_id, bad).group_by(ItemRow.reason)
    found = {reason or "unknown": count for reason, count in session.execute(grouped)}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def retry_job(session: Session, job_id: int) -> int:
    """Return how many failed, quarantined or cancelled items are asked again."""
    lock_job(session, job_id)
    states = [ItemState.FAILED, ItemState.QUARANTINED, ItemState.CANCELLED]
    asked = update(ItemRow).where(ItemRow.job_id == job_id, ItemRow.state.in_(states))
    fresh = {"state": ItemState.PENDING, "batch_id": None, "reason": None, "failure": None}
    return _rowcount(session.execute(asked.values(fresh), execution_options=_PLAIN))


def cancel_job(session: Session, job_id: int) -> int:
    """Return how many waiting items will not be inferred; a batch in work is let go by its token."""
    lock_job(session, job_id)
    open_states = [BatchState.PENDING, BatchState.CLAIMED]
    batches = update(BatchRow).where(BatchRow.job_id == job_id, BatchRow.state.in_(open_states))
    session.execute(batches.values(state=BatchState.CANCELLED, token=None), execution_options=_PLAIN)
    items = update(ItemRow).where(ItemRow.job_id == job_id, ItemRow.state == ItemState.PENDING)
    return _rowcount(session.execute(items.values(state=ItemState.CANCELLED, batch_id=None), execution_options=_PLAIN))


_PLAIN = {"synchronize_session": False}
# Why a file could not be read that is there now: what was wrong with its place may be over.
_UNREACHED = ("missing", "permission", "read error")


def _ask_changed_again(session: Session, job_id: int, *, scan: int) -> int:
    """Let wait again what changed, and what could not be reached when it was asked for and is found now."""
    differs = or_(
        ItemRow.size_bytes != FileRow.size_bytes,
        ItemRow.mtime_ns != FileRow.mtime_ns,
        and_(ItemRow.state == ItemState.FAILED, ItemRow.reason.in_(_UNREACHED)),
    )
    changed = (
        update(ItemRow)
        .where(ItemRow.job_id == job_id, ItemRow.file_id == FileRow.id, FileRow.scan == scan, differs)
        .values(
            state=ItemState.PENDING,
            batch_id=None,
            prediction_id=None,
            reason=None,
            failure=None,
            size_bytes=FileRow.size_bytes,
            mtime_ns=FileRow.mtime_ns,
        )
    )
    return _rowcount(session.execute(changed, execution_options=_PLAIN))


def _counts(session: Session, job_ids: Sequence[int]) -> dict[int, JobCounts]:
    grouped = session.execute(
        select(ItemRow.job_id, ItemRow.state, func.count())
        .where(ItemRow.job_id.in_(job_ids))
        .group_by(ItemRow.job_id, ItemRow.state)
    )
    by_job: dict[int, dict[str, int]] = {}
    for job_id, state, count in grouped:
        by_job.setdefault(job_id, {})[state] = count
    return {job_id: JobCounts(**states) for job_id, states in by_job.items()}


def _job(row: JobRow, counts: JobCounts) -> Job:
    # SQLite gives back times without their zone; all of ours are UTC.
    created_at = row.created_at if row.created_at.tzinfo else row.created_at.replace(tzinfo=UTC)
    return Job(row.id, bytes(row.root), row.model_asked or None, created_at.astimezone(UTC).isoformat(), counts)


def _rowcount(result: object) -> int:
    return int(getattr(result, "rowcount", 0))
