"""Scans a folder for files that may be images or videos, the first step of an enqueue; only files are opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from itertools import islice

from db.domain.files import FoundFile
from db.domain.frames import VIDEO_EXTENSIONS

EXTENSIONS = frozenset(b".jpg .jpeg .jpe .jfif .mpo .png .tif .tiff .bmp .dib .webp".split())
_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*")
Problem = Callable[[bytes, str], None]
_SORTED_AT_ONCE = 20_000


def scan_folder(
    root: bytes, *, on_problem: Problem, leave_out: bytes | None = None, with_videos: bool = False
) -> Iterator[FoundFile]:
    """Yield every file below root that may be an image, folder by folder; names in order, 20,000 at a time.

    Hidden files and folders are left out, links to folders are not followed (they may be loops). A file without a
    image's extension is an image if it begins like one. leave_out: a folder (HOME) that is not looked into.
    with_videos: whether files named like videos come, too.
    """
    folders, extensions = [root], EXTENSIONS | (VIDEO_EXTENSIONS if with_videos else frozenset())
    while folders:
        folder = folders.pop()
        inner: list[bytes] = []
        try:
            with os.scandir(folder) as listing:
                # Never a whole folder at once: one of a million files would take hundreds of megabytes.
                while entries := sorted(islice(listing, _SORTED_AT_ONCE), key=lambda entry: entry.name):
                    yield from _images(folder, entries, inner, on_problem, extensions)
        except OSError as error:
            on_problem(folder, error.strerror or str(error))
        folders.extend(path for path in sorted(inner, reverse=True) if path != leave_out)


def _images(
    folder: bytes,
    entries: list[os.DirEntry[bytes]],
    inner: list[bytes],
    on_problem: Problem,
    extensions: frozenset[bytes],
) -> Iterator[FoundFile]:
    for entry in entries:
        if entry.name.startswith(b"."):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                inner.append(entry.path)
            elif _may_be_wanted(entry, extensions):
                yield _found(folder, entry)
        except OSError as error:
            on_problem(entry.path, error.strerror or str(error))


def _found(folder: bytes, entry: os.DirEntry[bytes]) -> FoundFile:
    try:
        status = entry.stat()
    except OSError:
        status = entry.stat(follow_symlinks=False)  # a dangling link: the worker stores why it gave no image
    return FoundFile(folder, entry.name, status.st_size, status.st_mtime_ns)


def _may_be_wanted(entry: os.DirEntry[bytes], extensions: frozenset[bytes]) -> bool:
    if entry.name[entry.name.rfind(b".") :].lower() in extensions:
        return not _leads_to_folder(entry)
    return entry.is_file(follow_symlinks=False) and _begins_like_image(entry.path)


def _leads_to_folder(entry: os.DirEntry[bytes]) -> bool:
    """Whether it is a link to a folder, which may carry any name; a link in a circle is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _begins_like_image(path: bytes) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        head = os.read(descriptor, 12)
    finally:
        os.close(descriptor)
    return head.startswith(_MAGICS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
