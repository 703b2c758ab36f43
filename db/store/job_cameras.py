"""The waiting images of a job as a search for cameras needs them: where they lie, and whose their folders are."""

from __future__ import annotations

from typing import TypeVarTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from db.domain.files import FoundFile
from db.domain.frames import is_frame
from db.domain.jobs import ClaimedItem, ItemState
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.jobs import BatchRow, ItemRow

Ts = TypeVarTuple("Ts")


def waiting_folder_cameras(session: Session, job_id: int) -> set[str]:
    """Return the cameras of the folders that a job's waiting images lie in, those with a camera of their own aside."""
    query = _waiting(select(CameraRow.name), job_id).join(CameraRow, CameraRow.id == FolderRow.camera_id)
    return set(session.scalars(query.where(ImageRow.camera_id.is_(None)).distinct()))


def waiting_unread(session: Session, job_id: int) -> list[FoundFile]:
    """Return the files of a job's waiting images that nobody read yet; frames of videos are none."""
    query = _waiting(select(FolderRow.path, FileRow.name, FileRow.size_bytes, FileRow.mtime_ns), job_id)
    found = session.execute(query.where(FileRow.image_id.is_(None)))
    return [FoundFile(bytes(row[0]), bytes(row[1]), row[2], row[3]) for row in found if not is_frame(bytes(row[1]))]


def count_waiting(session: Session, job_id: int) -> int:
    """Return how many of a job's images wait and have no camera of their own."""
    return session.scalar(_waiting(select(func.count()), job_id).where(ImageRow.camera_id.is_(None))) or 0


def waiting_images(session: Session, job_id: int) -> set[int]:
    """Return the ids of a job's waiting images whose content is known and that have no camera of their own."""
    query = _waiting(select(ImageRow.id), job_id).where(ImageRow.id.is_not(None), ImageRow.camera_id.is_(None))
    return set(session.scalars(query))


def some_items_of(session: Session, batch_id: int, camera: str, *, count: int) -> tuple[ClaimedItem, ...]:
    """Return a few images of a camera, spread over the whole job of a batch; frames of videos are none."""
    own = aliased(CameraRow)
    job_id = session.scalars(select(BatchRow.job_id).where(BatchRow.id == batch_id)).one()
    ids = list(
        session.scalars(
            _placed(select(ItemRow.id))
            .join(CameraRow, CameraRow.id == FolderRow.camera_id)
            .outerjoin(own, own.id == ImageRow.camera_id)
            .where(ItemRow.job_id == job_id, func.coalesce(own.name, CameraRow.name) == camera)
            .order_by(ItemRow.id)
        )
    )
    chosen = ids[:: max(1, len(ids) // count)][:count]
    places = _placed(select(ItemRow.id, ItemRow.file_id, FolderRow.path, FileRow.name)).where(ItemRow.id.in_(chosen))
    rows = session.execute(places.order_by(ItemRow.id))
    items = [ClaimedItem(row[0], row[1], bytes(row[2]).rstrip(b"/") + b"/" + bytes(row[3]), camera) for row in rows]
    return tuple(item for item in items if not is_frame(item.path))


def _waiting(query: Select[*Ts], job_id: int) -> Select[*Ts]:
    return _placed(query).where(ItemRow.job_id == job_id, ItemRow.state == str(ItemState.PENDING))


def _placed(query: Select[*Ts]) -> Select[*Ts]:
    return (
        query.select_from(ItemRow)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .outerjoin(ImageRow, ImageRow.id == FileRow.image_id)
    )
