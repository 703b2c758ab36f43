"""Counts what a scan of a folder leaves aside, by kind: what was not looked at is told."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from db.domain.frames import VIDEO_EXTENSIONS
from worker.images.formats import videos_are_read

_HEIF = b".heic .heif .hif"
_PICTURES = frozenset(f"{_HEIF.decode()} .avif .gif .jp2 .j2k .jxl .psd .svg .ico .tga .pcx .ppm .pgm".encode().split())
_RAW = frozenset(
    b".dng .nef .nrw .cr2 .cr3 .crw .arw .sr2 .orf .rw2 .raf .pef .srw .3fr .iiq .erf .mrw .x3f .gpr .raw".split()
)
_VIDEOS = VIDEO_EXTENSIONS | frozenset(b".3gp .mpg .mpeg .wmv .flv .asf .dav .h264 .h265 .264 .265 .ogv .vob".split())
_READ_VIDEOS = frozenset(os.fsdecode(ending) for ending in VIDEO_EXTENSIONS)
# Cameras write a small image (.thm) and a small video (.lrv) beside each of their videos.
_THUMBNAILS = frozenset(b".thm .lrv".split())
# What cameras' cards, macOS, Windows and NAS (Synology, QNAP) make by themselves: none of it is of the trip.
_TRASH = frozenset(
    b"@eadir|#recycle|#snapshot|@recycle|@recently-snapshot|@tmp|.@__thumb|$recycle.bin|recycler|.trashes|.trash|"
    b"system volume information|lost+found|__macosx|.thumbnails|thumbs.db|desktop.ini|.spotlight-v100|.fseventsd".split(
        b"|"
    )
)
_SHOWN_LINKS = 3
# What is left aside only because something is not installed here, and how it comes to be read.
_READ_BY = (
    (frozenset(_HEIF.decode().split()), "pip install 'taffrail-fish[heif]' reads HEIC"),
    (frozenset({".avif"}), "a Pillow that is built with AVIF reads it"),
)


class SkippedKind(StrEnum):
    """Why a file or folder is left aside. OTHER: nothing that a camera takes, such as a text."""

    LINKED_FOLDER = "links to folders"
    IMAGE = "images of other formats"
    RAW = "raw files"
    VIDEO = "videos"
    TRASH = "trash and thumbnails"
    HIDDEN = "hidden"
    OTHER = "other files"


# Named by their endings in a message; the others by their kind.
_BY_ENDING = (SkippedKind.IMAGE, SkippedKind.RAW, SkippedKind.VIDEO)


@dataclass
class Skipped:
    """What was left aside. endings: by kind, how many of each ending; links: where folders are linked to."""

    endings: dict[SkippedKind, Counter[str]] = field(default_factory=dict)
    links: list[bytes] = field(default_factory=list)

    def add(self, kind: SkippedKind, path: bytes) -> None:
        """Count one file or folder."""
        name = os.path.basename(path)
        ending = os.fsdecode(name[name.rfind(b".") :].lower()) if b"." in name[1:] else ""
        self.endings.setdefault(kind, Counter())[ending if kind in (*_BY_ENDING, SkippedKind.OTHER) else ""] += 1
        if kind is SkippedKind.LINKED_FOLDER:
            self.links.append(path)

    def count(self, kind: SkippedKind) -> int:
        """Return how many of a kind were left aside."""
        return self.endings.get(kind, Counter()).total()

    def text(self) -> str:
        """Return what was left aside in one line, "" where nothing of it may be an image of the trip.

        >>> found = Skipped()
        >>> for name in (b"a.JXL", b"b.gif", b"c.gif"): found.add(SkippedKind.IMAGE, name)
        >>> found.add(SkippedKind.LINKED_FOLDER, b"trip/cam2"); found.text()
        'not looked at: 2 .gif, 1 .jxl; 1 links to folders: trip/cam2'
        """
        named = [f"{count} {ending}" for kind in _BY_ENDING for ending, count in self._sorted(kind)]
        others = [
            f"{self.count(kind)} {kind}"
            for kind in (SkippedKind.LINKED_FOLDER, SkippedKind.TRASH, SkippedKind.HIDDEN)
            if self.count(kind)
        ]
        if self.links:
            more = ", ..." if len(self.links) > _SHOWN_LINKS else ""
            others[0] += ": " + ", ".join(map(os.fsdecode, self.links[:_SHOWN_LINKS])) + more
        found = "; ".join([*([", ".join(named)] if named else []), *others])
        if not found:
            return ""
        ways = [way for extra, way in _READ_BY if extra & set(self.endings.get(SkippedKind.IMAGE, ()))]
        if self.count(SkippedKind.VIDEO) and not videos_are_read():
            ways.append("pip install 'taffrail-fish[video]' reads videos")
        elif _READ_VIDEOS & set(self.endings.get(SkippedKind.VIDEO, ())):
            ways.append("videos are read from folders of this machine, not from URLs: copy them here")
        return f"not looked at: {found}" + (f" ({'; '.join(ways)})" if ways else "")

    def as_json(self) -> dict[str, object]:
        """Return the counts for machines."""
        counts = {str(kind): dict(self._sorted(kind)) for kind in (*_BY_ENDING, SkippedKind.OTHER) if self.count(kind)}
        plain = {
            str(kind): self.count(kind)
            for kind in (SkippedKind.LINKED_FOLDER, SkippedKind.TRASH, SkippedKind.HIDDEN)
            if self.count(kind)
        }
        return {**counts, **plain, **({"links": [os.fsdecode(path) for path in self.links]} if self.links else {})}

    def _sorted(self, kind: SkippedKind) -> list[tuple[str, int]]:
        return sorted(self.endings.get(kind, Counter()).items(), key=lambda pair: (-pair[1], pair[0]))


def is_trash(name: bytes) -> bool:
    """Return whether a system or a NAS made a file or folder of this name for itself.

    >>> is_trash(b"@eaDir"), is_trash(b".Trash-1000"), is_trash(b"cam1")
    (True, True, False)
    """
    return name.lower() in _TRASH or name.lower().startswith(b".trash-")


def kind_of(name: bytes) -> SkippedKind:
    """Return as what a file is counted that is not read as an image."""
    ending = name[name.rfind(b".") :].lower() if b"." in name else b""
    if ending in _THUMBNAILS:
        return SkippedKind.TRASH
    kinds = ((SkippedKind.IMAGE, _PICTURES), (SkippedKind.RAW, _RAW), (SkippedKind.VIDEO, _VIDEOS))
    return next((kind for kind, endings in kinds if ending in endings), SkippedKind.OTHER)
