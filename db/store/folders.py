"""Folders and their cameras: whose image is this, from where it lies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.folder_names import is_numbered_camera, is_sorting
from db.store.sql import upsert
from db.tables.images import CameraRow, FolderRow

_NAME_LENGTH = 255


def path_digest(path: bytes) -> str:
    """Return the key of a path: a database cannot index every path a disk can hold."""
    return hashlib.sha256(path).hexdigest()


def camera_name_for(folder: bytes, *, root: bytes) -> str:
    """Return the camera of a folder; shown safely, at most 255 long.

    It is the first folder below root that is no sorting (`train`, `DCIM`, `100MEDIA`), with the numbered camera in it
    where there is one; else root itself, or the nearest folder above it that is no sorting.

    >>> camera_name_for(b"/fleet/cam_07/day1", root=b"/fleet"), camera_name_for(b"/fleet", root=b"/fleet")
    ('cam_07', 'fleet')
    >>> camera_name_for(b"/fleet/boatA/cam1/day1", root=b"/fleet"), camera_name_for(b"/set/train/images", root=b"/set")
    ('boatA/cam1', 'set')
    """
    relative = os.path.relpath(folder, root)
    below = _telling([] if relative == b"." else relative.split(b"/"))
    numbered = next((place for place, name in enumerate(below) if is_numbered_camera(name)), None)
    if below:
        parts = below[:1] if numbered in (None, 0) else [below[0], below[numbered or 0]]
        return "/".join(parts)[:_NAME_LENGTH]
    above = _telling(root.split(b"/")) or [_shown(os.path.basename(root))]
    return (above[-1] or "root")[:_NAME_LENGTH]


def register_folders(session: Session, folders: Iterable[bytes], *, root: bytes) -> dict[bytes, int]:
    """Return the ids of folders, adding what is new; a camera that a person has set stays.

    Two boats have a camera called `cam1`: the second one's gets the boat's name with it, `boatB/cam1`.
    """
    digests = {path_digest(folder): folder for folder in folders}
    ids = _ids(session, digests)
    new = {digest: folder for digest, folder in sorted(digests.items()) if digest not in ids}
    if new:
        cameras = _cameras(session, list(new.values()), root=root)
        rows = [{"path": folder, "digest": digest, "camera_id": cameras[folder]} for digest, folder in new.items()]
        session.execute(upsert(session, FolderRow).on_conflict_do_nothing(), rows)
        ids |= _ids(session, new)
    return {digests[digest]: folder_id for digest, folder_id in ids.items()}


def _ids(session: Session, digests: Collection[str]) -> dict[str, int]:
    held = session.execute(select(FolderRow.digest, FolderRow.id).where(FolderRow.digest.in_(digests)))
    return dict(held.all())


def _cameras(session: Session, folders: Iterable[bytes], *, root: bytes) -> dict[bytes, int]:
    """Return the ids of these new folders' cameras, added where they are new."""
    names = {folder: camera_name_for(folder, root=root) for folder in folders}
    for name in {name for name in names.values() if is_numbered_camera(name)}:
        places = _places(session, name)
        for folder in (folder for folder, own in names.items() if own == name):
            boat = _boat_of(folder, name)
            if boat and places and boat not in places:
                names[folder] = f"{boat}/{name}"[:_NAME_LENGTH]
    wanted = sorted(set(names.values()))
    session.execute(upsert(session, CameraRow).on_conflict_do_nothing(), [{"name": name} for name in wanted])
    found = session.execute(select(CameraRow.name, CameraRow.id).where(CameraRow.name.in_(wanted)))
    ids = dict(found.all())
    return {folder: ids[name] for folder, name in names.items()}


def _places(session: Session, camera: str) -> set[str]:
    """Return the names of the boats whose folders are a camera's."""
    query = select(FolderRow.path).join(CameraRow, CameraRow.id == FolderRow.camera_id).where(CameraRow.name == camera)
    return {boat for path in session.scalars(query) if (boat := _boat_of(bytes(path), camera))}


def _boat_of(folder: bytes, camera: str) -> str:
    """Return the folder above a camera's that tells a boat, "" where there is none."""
    parts = _telling(folder.split(b"/"))
    place = parts.index(camera) if camera in parts else 0
    return parts[place - 1] if place else ""


def _telling(parts: Iterable[bytes]) -> list[str]:
    return [name for name in map(_shown, parts) if name and not is_sorting(name)]


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace").replace("\x00", "")
