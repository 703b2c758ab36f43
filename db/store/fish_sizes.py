"""Each camera's fish size: told by a person, by labelled boxes, or estimated by a model, in this order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.domain.fish_size import FishSize, FishSizeOrigin, fish_size_px, typical_size_px
from db.errors import NotFoundError
from db.store.labels import training_records
from db.store.many_rows import one_of
from db.tables.images import CameraRow, FileRow, FolderRow

_PLAIN = {"synchronize_session": False}


def fish_sizes(session: Session) -> dict[str, FishSize]:
    """Return the fish size of every camera whose size is known, by the camera's name."""
    known = select(CameraRow.name, CameraRow.fish_px, CameraRow.fish_size_origin).where(CameraRow.fish_px.is_not(None))
    return {
        name: FishSize(fish_px, FishSizeOrigin(origin or FishSizeOrigin.ESTIMATE))
        for name, fish_px, origin in session.execute(known).tuples()
        if fish_px is not None
    }


def set_fish_size(session: Session, camera: str, size: FishSize) -> None:
    """Hold a camera's fish size. The caller commits.

    Raises:
        NotFoundError: there is no such camera.
    """
    held = update(CameraRow).where(CameraRow.name == camera).values(fish_px=size.fish_px, fish_size_origin=size.origin)
    if not session.execute(held.returning(CameraRow.id), execution_options=_PLAIN).all():
        raise NotFoundError(f"camera {camera!r}: not held; `cli cameras list` shows those that are")


def forget_fish_size(session: Session, camera: str) -> None:
    """Let a camera's size be known by its labels again, or by an estimate. The caller commits."""
    unknown = update(CameraRow).where(CameraRow.name == camera).values(fish_px=None, fish_size_origin=None)
    session.execute(unknown, execution_options=_PLAIN)


def keep_estimate(session: Session, camera: str, fish_px: float) -> float:
    """Return the size that holds for a camera: this estimate, unless one is held. The first of two workers wins."""
    fresh = update(CameraRow).where(CameraRow.name == camera, CameraRow.fish_px.is_(None))
    session.execute(
        fresh.values(fish_px=fish_px, fish_size_origin=FishSizeOrigin.ESTIMATE.value), execution_options=_PLAIN
    )
    return float(session.scalars(select(CameraRow.fish_px).where(CameraRow.name == camera)).one() or fish_px)


def sizes_from_labels(session: Session) -> dict[str, FishSize]:
    """Hold what labels and corrections say of cameras' fish sizes, and return what changed. The caller commits.

    What a person told stands. A folder whose own camera has no box goes by the boxes of its images: cameras that were
    found among a folder's images are its views.
    """
    held, changed = fish_sizes(session), {}
    for camera, boxes_px in _labelled_sizes(session).items():
        typical = typical_size_px(boxes_px)
        before = held.get(camera)
        if typical is None or (before is not None and before.origin is FishSizeOrigin.PERSON):
            continue
        size = FishSize(round(typical, 2), FishSizeOrigin.LABELS)
        if size != before:
            set_fish_size(session, camera, size)
            changed[camera] = size
    return changed


def _labelled_sizes(session: Session) -> dict[str, list[float]]:
    own: dict[str, list[float]] = defaultdict(list)
    by_image: dict[int, list[float]] = {}
    for record in training_records(session):
        if record.label.boxes and record.width_px and record.height_px:
            size = {"width_px": record.width_px, "height_px": record.height_px}
            by_image[record.image_id] = [fish_size_px(labelled.box, **size) for labelled in record.label.boxes]
            own[record.camera] += by_image[record.image_id]
    of_folders: dict[str, list[float]] = defaultdict(list)
    for image_id, camera in _folder_cameras(session, sorted(by_image)):
        of_folders[camera] += by_image[image_id]
    return {**of_folders, **own}


def _folder_cameras(session: Session, image_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Return the cameras of the folders that images lie in, by image id."""
    query = (
        select(FileRow.image_id, CameraRow.name)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(CameraRow, CameraRow.id == FolderRow.camera_id)
        .where(one_of(session, FileRow.image_id, image_ids))
        .distinct()
    )
    return [(image_id, camera) for image_id, camera in session.execute(query).tuples() if image_id is not None]
