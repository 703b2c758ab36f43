"""Which camera took which image: seen, set and put together. An image's own camera counts before its folder's."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, aliased

from db.domain.cameras import CameraImage, CameraOrigin, CameraSummary
from db.errors import NotFoundError
from db.store.label_imports import labels_in_force
from db.store.sql import upsert
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.jobs import ItemRow
from db.tables.labels import LabelRow
from db.tables.models import BoxShiftRow

_IDS_A_QUERY = 500
_PLAIN = {"synchronize_session": False}
_NAME_LENGTH = 255


def camera_images(session: Session) -> Iterator[CameraImage]:
    """Yield every image whose content is known, once, with its camera, in the order they were registered."""
    own = aliased(CameraRow)
    first = select(func.min(FileRow.id)).where(FileRow.image_id == ImageRow.id).correlate(ImageRow).scalar_subquery()
    in_force = labels_in_force()
    query = (
        select(ImageRow, FolderRow.path, FileRow.name, own.name, CameraRow.name, LabelRow.species)
        .join(FileRow, FileRow.id == first)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(CameraRow, CameraRow.id == FolderRow.camera_id)
        .outerjoin(own, own.id == ImageRow.camera_id)
        .outerjoin(in_force, in_force.c.image_id == ImageRow.id)
        .outerjoin(LabelRow, LabelRow.id == in_force.c.label_id)
        .order_by(ImageRow.id)
    )
    for image, folder, name, camera, folder_camera, species in session.execute(query):
        # A camera set before origins were kept was set by a person.
        origin = CameraOrigin(image.camera_origin or CameraOrigin.PERSON) if camera else CameraOrigin.FOLDER
        path = bytes(folder).rstrip(b"/") + b"/" + bytes(name)
        yield CameraImage(image.id, path, camera or folder_camera, origin, image.width_px, image.height_px, species)


def list_cameras(session: Session) -> list[CameraSummary]:
    """Return every camera that has images, the one with the most first."""
    held: dict[str, list[CameraImage]] = defaultdict(list)
    for image in camera_images(session):
        held[image.camera].append(image)
    found = [_summary(name, images) for name, images in held.items()]
    return sorted(found, key=lambda camera: (-camera.images, camera.name))


def cameras_of_job(session: Session, job_id: int) -> list[str]:
    """Return the names of the cameras that took a job's images, sorted."""
    own, folder_camera = aliased(CameraRow), aliased(CameraRow)
    names = (
        select(func.coalesce(own.name, folder_camera.name))
        .select_from(ItemRow)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(folder_camera, folder_camera.id == FolderRow.camera_id)
        .outerjoin(ImageRow, ImageRow.id == FileRow.image_id)
        .outerjoin(own, own.id == ImageRow.camera_id)
        .where(ItemRow.job_id == job_id)
        .distinct()
    )
    return sorted(session.scalars(names))


def set_cameras(session: Session, cameras: Mapping[int, str], *, origin: CameraOrigin) -> None:
    """Give images, by image id, a camera of their own. The caller commits.

    Raises:
        ValueError: a name is empty, too long or holds a NUL.
    """
    ids = _camera_ids(session, sorted(set(cameras.values())))
    by_camera: dict[str, list[int]] = defaultdict(list)
    for image_id, name in cameras.items():
        by_camera[name].append(image_id)
    for name, image_ids in by_camera.items():
        for start in range(0, len(image_ids), _IDS_A_QUERY):
            chunk = update(ImageRow).where(ImageRow.id.in_(image_ids[start : start + _IDS_A_QUERY]))
            values = {"camera_id": ids[name], "camera_origin": str(origin)}
            session.execute(chunk.values(values), execution_options=_PLAIN)


def merge_cameras(session: Session, *, source: str, target: str) -> int:
    """Return how many images of one camera are another's now; the first camera is gone. The caller commits.

    Folders of the first camera give the second one from now on.
    Raises:
        NotFoundError: there is no such camera. ValueError: both are the same.
    """
    if source == target:
        raise ValueError(f"{source}: a camera cannot be put together with itself")
    held = _ids_of(session, [source, target])
    for name in (source, target):
        if name not in held:
            raise NotFoundError(f"camera {name!r}: not held; `cli cameras list` shows those that are")
    moved = sum(image.camera == source for image in camera_images(session))
    theirs = {"camera_id": held[target], "camera_origin": str(CameraOrigin.PERSON)}
    images = update(ImageRow).where(ImageRow.camera_id == held[source])
    session.execute(images.values(theirs), execution_options=_PLAIN)
    folders = update(FolderRow).where(FolderRow.camera_id == held[source])
    session.execute(folders.values(camera_id=held[target]), execution_options=_PLAIN)
    session.execute(delete(BoxShiftRow).where(BoxShiftRow.camera_id == held[source]), execution_options=_PLAIN)
    session.execute(delete(CameraRow).where(CameraRow.id == held[source]), execution_options=_PLAIN)
    return moved


def same_named(session: Session, root: bytes) -> list[tuple[str, str]]:
    """Return cameras of folders below a root that got a boat's name (`boatB/cam1`), each with the other (`cam1`)."""
    query = select(CameraRow.name, FolderRow.path).join(FolderRow, FolderRow.camera_id == CameraRow.id)
    within = root.rstrip(b"/") + b"/"
    named = session.execute(query.where(CameraRow.name.contains("/")))
    here = {name for name, path in named if (bytes(path) + b"/").startswith(within)}
    held = camera_names(session)
    return [(name, plain) for name in sorted(here) if (plain := name.rpartition("/")[2]) in held]


def check_camera(session: Session, name: str) -> str:
    """Return the name of a camera.

    Raises:
        NotFoundError: no image is of such a camera.
    """
    names = camera_names(session)
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise NotFoundError(f"camera {name!r}: no image is of such a camera; {hint}`cli cameras list` shows all")


def camera_names(session: Session) -> set[str]:
    """Return the names of all cameras, with images or without."""
    return set(session.scalars(select(CameraRow.name)))


def _camera_ids(session: Session, names: Sequence[str]) -> dict[str, int]:
    for name in names:
        if not name.strip() or len(name) > _NAME_LENGTH or "\x00" in name:
            raise ValueError(f"camera {name[:60]!r}: wanted a name of 1 to {_NAME_LENGTH} characters")
    if names:
        session.execute(upsert(session, CameraRow).on_conflict_do_nothing(), [{"name": name} for name in names])
    return _ids_of(session, names)


def _ids_of(session: Session, names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(names), _IDS_A_QUERY):
        wanted = CameraRow.name.in_(names[start : start + _IDS_A_QUERY])
        rows = session.execute(select(CameraRow.name, CameraRow.id).where(wanted))
        found.update((name, camera_id) for name, camera_id in rows)
    return found


def _summary(name: str, images: Sequence[CameraImage]) -> CameraSummary:
    return CameraSummary(
        name=name,
        images=len(images),
        species=dict(sorted(Counter(one.species for one in images if one.species).items())),
        origins=dict(Counter(str(one.origin) for one in images)),
        example=images[0].file,
        sizes=tuple(sorted({f"{one.width_px}x{one.height_px}" for one in images if one.width_px})),
    )
