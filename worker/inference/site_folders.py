"""Tells a folder or a disk that is not there on this machine from images that are gone."""

from __future__ import annotations

import os
from collections.abc import Sequence

from db.domain.places import is_url
from worker.images.errors import SiteFault


class FolderUnseen(SiteFault):
    """The job's folder, or the disk of a camera in it, is not there on this machine."""


def check_folder(root: bytes) -> None:
    """Refuse a folder that this machine does not have: each of its images would be stored as missing.

    Raises:
        FolderUnseen: it is not there, or nothing is in it, as in the place of a disk that is not mounted.
    """
    if is_url(root):
        return
    try:
        with os.scandir(root) as entries:
            if any(True for _ in entries):
                return
        found = "is empty"
    except OSError as error:
        found = error.strerror or type(error).__name__
    raise FolderUnseen(f"{root.decode('utf-8', 'backslashreplace')}: {found} on this machine; is its disk mounted?")


def check_disks(root: bytes, missing: Sequence[bytes]) -> None:
    """Refuse the place of a disk that is not mounted below a job's folder: its images are not gone.

    missing: paths of images that were not found. A folder that was removed with its images is no such place.
    Raises:
        FolderUnseen: the folder that would hold one, or the first one above it that is there, is empty; or one is
            found now, so its disk was away while it was read.
    """
    for path in missing:
        if not is_url(path) and os.path.exists(path):
            raise FolderUnseen(f"{path.decode('utf-8', 'backslashreplace')}: was not there, and is there again")
    for folder in sorted({os.path.dirname(path) for path in missing if not is_url(path)}):
        while not os.path.isdir(folder) and folder.startswith(root.rstrip(b"/") + b"/"):
            folder = os.path.dirname(folder)
        check_folder(folder)
