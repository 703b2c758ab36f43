"""Looks into the folder that the user named, and says why it cannot be enqueued."""

from __future__ import annotations

import os
from collections.abc import Iterator

from db.domain.files import FoundFile
from db.domain.places import is_url
from db.errors import TaffrailError
from db.settings import Settings
from worker.images.formats import videos_are_read
from worker.images.frame_choice import EVERY_SECOND, FrameChoice, frames_for_videos
from worker.images.scan import Problem, scan_folder
from worker.images.skipped import Skipped


class FolderError(TaffrailError):
    """The folder to enqueue is not one, or holds no image."""


def look_into(
    folder: bytes,
    settings: Settings,
    *,
    on_problem: Problem,
    choice: FrameChoice = EVERY_SECOND,
    skipped: Skipped | None = None,
) -> tuple[bytes, Iterator[FoundFile]]:
    """Return a folder's or URL's root and the images below it, found as they are asked for.

    choice: which frames of videos are taken; of videos that lie under a URL none are. skipped: counts what is left out.

    Raises:
        FolderError: there is no such folder. RemoteRootError: the URL cannot be used.
    """
    if is_url(folder):
        from worker.images.object_store import checked_root, scan_remote

        root = checked_root(folder)
        return root, scan_remote(root, on_problem=on_problem, skipped=skipped)
    root = os.path.realpath(folder)
    if not os.path.isdir(root):
        raise FolderError(f"{os.fsdecode(folder)!r}: not a folder; wanted a folder of images or videos")
    home = os.fsencode(os.path.realpath(settings.home))
    files = scan_folder(root, on_problem=on_problem, leave_out=home, with_videos=videos_are_read(), skipped=skipped)
    return root, frames_for_videos(files, choice, root=root, settings=settings, on_problem=on_problem)
