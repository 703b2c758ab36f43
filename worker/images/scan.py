"""Scans a folder for files that may be images or videos, the first step of an enqueue; only files are opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from db.domain.files import FoundFile
from db.domain.frames import VIDEO_EXTENSIONS
from worker.images.formats import readable_endings
from worker.images.skipped import Skipped, SkippedKind, is_trash, kind_of

_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
Problem = Callable[[bytes, str], None]
_SORTED_AT_ONCE = 20_000


def scan_folder(
    root: bytes,
    *,
    on_problem: Problem,
    leave_out: bytes | None = None,
    with_videos: bool = False,
    skipped: Skipped | None = None,
) -> Iterator[FoundFile]:
    """Yield every file below root that may be an image, folder by folder; names in order, 20,000 at a time.

    Hidden files and folders and a system's own (`@eaDir`) are left out, links to folders are not followed (they may be
    loops). A file without an image's extension is an image if it begins like one. leave_out: a folder (HOME) that is
    not looked into. with_videos: whether files named like videos come, too. skipped: counts what is left aside.
    """
    scan = _Scan(on_problem, _extensions(with_videos), skipped if skipped is not None else Skipped())
    folders = [root]
    while folders:
        folder = folders.pop()
        scan.inner = []
        try:
            with os.scandir(folder) as listing:
                # Never a whole folder at once: one of a million files would take hundreds of megabytes.
                while entries := sorted(islice(listing, _SORTED_AT_ONCE), key=lambda entry: entry.name):
                    yield from scan.images(folder, entries)
        except OSError as error:
            on_problem(folder, error.strerror or str(error))
        folders.extend(path for path in sorted(scan.inner, reverse=True) if path != leave_out)


def _extensions(with_videos: bool) -> frozenset[bytes]:
    return readable_endings() | (VIDEO_EXTENSIONS if with_videos else frozenset())


@dataclass
class _Scan:
    """One look at a folder. inner: folders found in the one that is looked at."""

    on_problem: Problem
    extensions: frozenset[bytes]
    skipped: Skipped
    inner: list[bytes] = field(default_factory=list)

    def images(self, folder: bytes, entries: list[os.DirEntry[bytes]]) -> Iterator[FoundFile]:
        """Yield the files of a folder's entries that are wanted; count the others."""
        for entry in entries:
            try:
                kind = self._left_aside(entry)
                if kind is not None:
                    self.skipped.add(kind, entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    self.inner.append(entry.path)
                else:
                    yield _found(folder, entry)
            except OSError as error:
                self.on_problem(entry.path, error.strerror or str(error))

    def _left_aside(self, entry: os.DirEntry[bytes]) -> SkippedKind | None:
        """Return as what an entry is left aside, None where it is wanted."""
        if is_trash(entry.name):
            return SkippedKind.TRASH
        if entry.name.startswith(b"."):
            return SkippedKind.HIDDEN
        if entry.is_dir(follow_symlinks=False):
            return None
        if _leads_to_folder(entry):
            return SkippedKind.LINKED_FOLDER
        if entry.name[entry.name.rfind(b".") :].lower() in self.extensions:
            return None
        kind = kind_of(entry.name)
        # A raw file or a thumbnail begins like the image that it is not.
        if kind in (SkippedKind.RAW, SkippedKind.TRASH):
            return kind
        return None if entry.is_file(follow_symlinks=False) and _begins_like_image(entry.path) else kind


def _found(folder: bytes, entry: os.DirEntry[bytes]) -> FoundFile:
    try:
        status = entry.stat()
    except OSError:
        status = entry.stat(follow_symlinks=False)  # a dangling link: the worker stores why it gave no image
    return FoundFile(folder, entry.name, status.st_size, status.st_mtime_ns)


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
