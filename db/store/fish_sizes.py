"""Each camera's fish size: told by a person, by labelled boxes, or estimated by a model, in this order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.domain.cameras import side_of
from db.domain.fish_size import FishSize, FishSizeOrigin, fish_size_px, typical_size_px
from db.errors import NotFoundError
from db.store.cameras import camera_names, cameras_of_job
from db.store.labels import training_records
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow

_IDS_A_QUERY = 500
_PLAIN = {"synchronize_session": False}


def fish_sizes(session: Session) -> dict[str, FishSize]:
    """Return the fish size of every camera whose size is known, by the camera's name."""
    known = select(CameraRow.name, CameraRow.fish_px, CameraRow.fish_size_origin).where(CameraRow.fish_px.is_not(None))
    return {
        name: FishSize(fish_px, FishSizeOrigin(origin or FishSizeOrigin.ESTIMATE))
        for name, fish_px, origin in session.execute(known)
        if fish_px is not None
    }


def estimated_in_job(session: Session, job_id: int) -> list[tuple[str, FishSize]]:
    """Return the cameras of a job's images whose fish sizes are estimates, by name."""
    held = fish_sizes(session)
    sizes = [(name, held[name]) for name in cameras_of_job(session, job_id) if name in held]
    return [(name, size) for name, size in sizes if size.origin is FishSizeOrigin.ESTIMATE]


def image_size_of(session: Session, camera: str) -> tuple[int, int] | None:
    """Return the commonest width and height of a camera's images, its own or its folders'; None where none is known."""
    own, folder_camera = aliased(CameraRow), aliased(CameraRow)
    sizes = (
        select(ImageRow.width_px, ImageRow.height_px)
        .join(FileRow, FileRow.image_id == ImageRow.id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(folder_camera, folder_camera.id == FolderRow.camera_id)
        .outerjoin(own, own.id == ImageRow.camera_id)
        .where(or_(own.name == camera, folder_camera.name == camera), ImageRow.width_px.is_not(None))
        .group_by(ImageRow.width_px, ImageRow.height_px)
        .order_by(func.count().desc(), ImageRow.width_px)
        .limit(1)
    )
    found = session.execute(sizes).one_or_none()
    return (found[0], found[1]) if found and found[0] and found[1] else None


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

    What a person told stands. The images of a folder that nobody labelled are known by the folder's camera alone: where
    all its labelled images are of one camera that was found among them, that camera's boxes count for it, too. So do
    they for a camera without boxes that may be the same one (`camera_03~2`).
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
    by_image: dict[int, tuple[str, list[float]]] = {}
    for record in training_records(session):
        if record.label.boxes and record.width_px and record.height_px:
            size = {"width_px": record.width_px, "height_px": record.height_px}
            sizes_px = [fish_size_px(labelled.box, **size) for labelled in record.label.boxes]
            by_image[record.image_id] = (record.camera, sizes_px)
            own[record.camera] += sizes_px
    in_folders: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for image_id, folder_camera in _folder_cameras(session, sorted(by_image)):
        camera, sizes_px = by_image[image_id]
        in_folders[folder_camera][camera] += sizes_px
    # A folder of several cameras has no size that would be right for all its images.
    of_folders = {name: sizes for name, found in in_folders.items() if len(found) == 1 for sizes in found.values()}
    alike = {name: own[side_of(name)] for name in camera_names(session) if side_of(name) in own}
    return {**of_folders, **alike, **own}


def _folder_cameras(session: Session, image_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the cameras of the folders that images lie in, by image id."""
    query = (
        select(FileRow.image_id, CameraRow.name)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(CameraRow, CameraRow.id == FolderRow.camera_id)
        .distinct()
    )
    for start in range(0, len(image_ids), _IDS_A_QUERY):
        chunk = image_ids[start : start + _IDS_A_QUERY]
        for image_id, camera in session.execute(query.where(FileRow.image_id.in_(chunk))):
            if image_id is not None:
                yield image_id, camera
