"""Images as someone who read them found them: their contents, where these lie, and of which nobody spoke yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, fields

from sqlalchemy import ColumnElement, ScalarSelect, Select, case, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from db.domain.files import FoundFile
from db.domain.frames import is_frame
from db.domain.outcomes import SeenImage
from db.domain.places import Place
from db.domain.taken_with import TakenWith
from db.store.folders import path_digest
from db.store.jobs import new_scan, register_files
from db.store.label_imports import labels_in_force
from db.store.many_rows import insert_rows, one_of
from db.store.sql import upsert
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.reviews import CorrectionRow, ReviewItemRow

_IDS_A_QUERY = 500
_TAKEN_WITH = [field.name for field in fields(TakenWith)]
_PLAIN = {"synchronize_session": False}

Seen = tuple[FoundFile, SeenImage]


def register_unread(session: Session, files: Sequence[FoundFile], *, root: bytes) -> list[FoundFile]:
    """Return those files whose content is not known, or changed since; all of them are held. The caller commits."""
    scan = new_scan()
    register_files(session, files, root=root, scan=scan)
    query = select(FolderRow.path, FileRow.name).join(FolderRow, FolderRow.id == FileRow.folder_id)
    found = session.execute(query.where(FileRow.scan == scan, FileRow.image_id.is_(None)))
    unread = {(bytes(folder), bytes(name)) for folder, name in found}
    return [file for file in files if (file.folder, file.name) in unread]


def hold_images(session: Session, seen: Sequence[Seen], *, root: bytes) -> dict[str, int]:
    """Return the ids of contents by hash, each tied to the files that hold it. The caller commits."""
    image_ids = register_images(session, [image for _, image in seen])
    register_files(session, [file for file, _ in seen], root=root, scan=new_scan())
    for file, image in seen:
        folder = select(FolderRow.id).where(FolderRow.digest == path_digest(file.folder)).scalar_subquery()
        tie = update(FileRow).where(FileRow.folder_id == folder, FileRow.name == file.name)
        session.execute(tie.values(image_id=image_ids[image.sha256]), execution_options=_PLAIN)
    return image_ids


def places_of(session: Session, wanted: set[str]) -> Iterator[Place]:
    """Yield one place of each content (by hash) that lies somewhere known."""
    hashes = sorted(wanted)
    for start in range(0, len(hashes), _IDS_A_QUERY):
        chunk = hashes[start : start + _IDS_A_QUERY]
        yield from _places(session, _query().where(ImageRow.sha256.in_(chunk)))


def unlabelled_places(session: Session, *, handed_out: bool) -> list[Place]:
    """Return one place of each content of which nobody said anything. handed_out: also what was shown to a person."""
    asked = ReviewItemRow.image_id if not handed_out else CorrectionRow.image_id
    query = _query().where(
        ImageRow.width_px.is_not(None),
        ImageRow.id.not_in(select(labels_in_force().c.image_id)),
        ~exists().where(asked == ImageRow.id),
    )
    return list(_places(session, query))


def some_files(session: Session, *, count: int) -> list[bytes]:
    """Return paths of images that were read before, the newest first, at most so many; a video's frames are not."""
    query = (
        select(FolderRow.path, FileRow.name)
        .join(FileRow, FileRow.folder_id == FolderRow.id)
        .where(FileRow.image_id.is_not(None))
        .order_by(FileRow.id.desc())
        .limit(4 * count)
    )
    paths = (bytes(folder).rstrip(b"/") + b"/" + bytes(name) for folder, name in session.execute(query))
    return [path for path in paths if not is_frame(path)][:count]


def _query() -> Select[ImageRow, bytes, bytes, str]:
    first = select(func.min(FileRow.id)).where(FileRow.image_id == ImageRow.id).correlate(ImageRow).scalar_subquery()
    camera_id = func.coalesce(ImageRow.camera_id, FolderRow.camera_id)
    return (
        select(ImageRow, FolderRow.path, FileRow.name, CameraRow.name)
        .join(FileRow, FileRow.id == first)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(CameraRow, CameraRow.id == camera_id)
        .order_by(ImageRow.id)
    )


def _places(session: Session, query: Select[ImageRow, bytes, bytes, str]) -> Iterator[Place]:
    for image, folder, name, camera in session.execute(query):
        yield Place(
            image_id=image.id,
            sha256=image.sha256,
            file=bytes(folder).rstrip(b"/") + b"/" + bytes(name),
            camera=camera,
            width_px=image.width_px or 0,
            height_px=image.height_px or 0,
            captured_at=image.captured_at,
        )


def _image_ids(session: Session, sha256s: Collection[str]) -> dict[str, int]:
    found = session.execute(select(ImageRow.sha256, ImageRow.id).where(one_of(session, ImageRow.sha256, sha256s)))
    return {sha256: image_id for sha256, image_id in found}


def register_images(session: Session, images: Sequence[SeenImage]) -> dict[str, int]:
    """Return the ids of contents by hash, adding what is new; a size that is known is never forgotten."""
    # Sorted: two workers that store the same contents must take the rows in the same order.
    rows = {image.sha256: image for image in sorted(images, key=lambda image: (image.sha256, image.width_px or 0))}
    if not rows:
        return {}
    statement = upsert(session, ImageRow)
    sizes = {
        "width_px": func.coalesce(ImageRow.width_px, statement.excluded.width_px),
        "height_px": func.coalesce(ImageRow.height_px, statement.excluded.height_px),
        "captured_at": func.coalesce(ImageRow.captured_at, statement.excluded.captured_at),
        # With the time it belongs to: of two places that tell one, the first was kept.
        "captured_from": case(
            (ImageRow.captured_at.is_(None), func.coalesce(statement.excluded.captured_from, ImageRow.captured_from)),
            else_=ImageRow.captured_from,
        ),
        "note": func.coalesce(statement.excluded.note, ImageRow.note),
        "thumbnail": func.coalesce(ImageRow.thumbnail, statement.excluded.thumbnail),
        **{name: func.coalesce(getattr(ImageRow, name), statement.excluded[name]) for name in _TAKEN_WITH},
    }
    values = [
        {
            "sha256": image.sha256,
            "width_px": image.width_px,
            "height_px": image.height_px,
            "captured_at": image.captured_at,
            "captured_from": image.captured_from,
            "note": image.note,
            "thumbnail": image.thumbnail,
            **asdict(image.taken_with),
        }
        for image in rows.values()
    ]
    insert_rows(session, statement.on_conflict_do_update(index_elements=["sha256"], set_=sizes), values)
    return _image_ids(session, rows)


def taken_with_of(image: ImageRow) -> TakenWith:
    """Return where and with which camera a content was taken, as its file says."""
    return TakenWith(image.latitude_deg, image.longitude_deg, image.camera_model, image.camera_serial)


ImageId = InstrumentedAttribute[int] | ColumnElement[int]


def camera_of_image(image_id: ImageId) -> ScalarSelect[str]:
    """Return the name of the camera of a content, as a subquery of a query that has `image_id`."""
    file, image = aliased(FileRow), aliased(ImageRow)
    return (
        select(CameraRow.name)
        .select_from(image)
        .join(file, file.image_id == image.id)
        .join(FolderRow, FolderRow.id == file.folder_id)
        .join(CameraRow, CameraRow.id == func.coalesce(image.camera_id, FolderRow.camera_id))
        .where(image.id == image_id)
        .order_by(file.id)
        .limit(1)
        .scalar_subquery()
    )
