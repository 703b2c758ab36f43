"""Folders and their cameras: whose image is this, from where it lies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.store.sql import upsert
from db.tables.images import CameraRow, FolderRow


def path_digest(path: bytes) -> str:
    """Return the key of a path: a database cannot index every path a disk can hold."""
    return hashlib.sha256(path).hexdigest()


def camera_name_for(folder: bytes, *, root: bytes) -> str:
    """Return the camera of a folder: the first folder below root, or root's own name; shown safely, at most 255 long.

    >>> camera_name_for(b"/fleet/cam_07/day1", root=b"/fleet"), camera_name_for(b"/fleet", root=b"/fleet")
    ('cam_07', 'fleet')
    """
    relative = os.path.relpath(folder, root)
    name = os.path.basename(root) if relative == b"." else relative.split(b"/")[0]
    return (name.decode("utf-8", "backslashreplace").replace("\x00", "") or "root")[:255]


def register_folders(session: Session, folders: Iterable[bytes], *, root: bytes) -> dict[bytes, int]:
    """Return the ids of folders, adding what is new; a camera that a person has set stays."""
    cameras = {folder: camera_name_for(folder, root=root) for folder in folders}
    if not cameras:
        return {}
    names = sorted(set(cameras.values()))
    session.execute(upsert(session, CameraRow).on_conflict_do_nothing(), [{"name": name} for name in names])
    found = session.execute(select(CameraRow.name, CameraRow.id).where(CameraRow.name.in_(names)))
    camera_ids = {name: camera_id for name, camera_id in found}
    digests = {path_digest(folder): folder for folder in cameras}
    rows = [
        {"path": folder, "digest": digest, "camera_id": camera_ids[cameras[folder]]}
        for digest, folder in sorted(digests.items())
    ]
    session.execute(upsert(session, FolderRow).on_conflict_do_nothing(), rows)
    held = session.execute(select(FolderRow.digest, FolderRow.id).where(FolderRow.digest.in_(digests)))
    return {digests[digest]: folder_id for digest, folder_id in held}
