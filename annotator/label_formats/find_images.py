"""Finds the image that a label file means by a name: folders, prefixes and endings are often not as they were."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

from annotator.labelme.json_files import posix_path
from db.domain.files import FoundFile

_SHOWN = 200


class ImageNotFound(ValueError):
    """A name means no image, or more than one."""


class ImageFinder:
    """The images below a folder, by name."""

    def __init__(self, files: Iterable[FoundFile], *, root: bytes) -> None:
        self._by_name: dict[str, list[tuple[tuple[str, ...], FoundFile]]] = defaultdict(list)
        self._by_stem: dict[str, list[tuple[tuple[str, ...], FoundFile]]] = defaultdict(list)
        self.files: list[FoundFile] = []
        for file in files:
            relative = os.path.relpath(file.folder, root)
            folders = tuple(os.fsdecode(part) for part in relative.split(b"/") if part != b".")
            name = os.fsdecode(file.name)
            self.files.append(file)
            self._by_name[name].append((folders, file))
            self._by_stem[os.path.splitext(name)[0]].append((folders, file))

    def find(self, written: str) -> FoundFile:
        """Return the image whose path ends most like the written one.

        Raises:
            ImageNotFound: none has this name, or several fit equally well.
        """
        parts = [part for part in posix_path(written).split("/") if part not in ("", ".", "..")]
        if not parts:
            raise ImageNotFound(f"{_shown(written)} names no file")
        *folders, name = parts
        candidates = self._by_name.get(name) or self._by_stem.get(name) or self._by_stem.get(os.path.splitext(name)[0])
        if not candidates:
            raise ImageNotFound(f"{_shown(written)} is not among the images")
        ranked = sorted(candidates, key=lambda found: -_common(found[0], folders))
        best = _common(ranked[0][0], folders)
        equal = [found for found in ranked if _common(found[0], folders) == best]
        exact = [found for found in equal if list(found[0]) == folders]
        if len(equal) > 1 and len(exact) != 1:
            raise ImageNotFound(f"{_shown(written)} fits {len(equal)} images; write its folder, too")
        return (exact or equal)[0][1]


def _shown(written: str) -> str:
    return repr(written if len(written) <= _SHOWN else written[:_SHOWN] + "...")


def _common(held: tuple[str, ...], written: list[str]) -> int:
    """How many folders are the same, counted from the file upwards."""
    count = 0
    for first, second in zip(reversed(held), reversed(written), strict=False):
        if first != second:
            break
        count += 1
    return count
