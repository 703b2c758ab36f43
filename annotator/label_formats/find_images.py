"""Finds the image that a label file means by a name: folders, prefixes and endings are often not as they were.

A label goes to the image whose path ends as the written one does. Folders that were written and contradict the ones
found are no match: two boats have images of the same names. Only a beginning may differ that all written names and all
images have in common (a data set that was moved has another one), or a split (`train`) where images lie in none.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from annotator.labelme.json_files import posix_path
from db.domain.files import FoundFile
from db.domain.folder_names import SPLITS, is_container
from db.domain.species import LabelSet

_SHOWN = 200
_DIGITS = re.compile(r"\d+")
Folders = tuple[str, ...]
_Held = tuple[Folders, FoundFile]


class ImageNotFound(ValueError):
    """A name means no image, or more than one."""


class ImageFinder:
    """The images below a folder, by name. written: every name that will be asked for, for what they have in common.

    Folders that only hold (`images`, `DCIM`) or are named like species contradict nothing: they say how files are
    sorted, here and there differently.
    """

    def __init__(
        self, files: Iterable[FoundFile], *, root: bytes, written: Iterable[str] = (), label_set: LabelSet | None = None
    ) -> None:
        self._species = {name.lower() for name in label_set.names} if label_set is not None else set()
        self._by_name: dict[str, list[_Held]] = defaultdict(list)
        self._by_stem: dict[str, list[_Held]] = defaultdict(list)
        self.files: list[FoundFile] = []
        for file in files:
            relative = os.path.relpath(file.folder, root)
            folders = tuple(os.fsdecode(part) for part in relative.split(b"/") if part != b".")
            name = os.fsdecode(file.name)
            self.files.append(file)
            self._by_name[name].append((folders, file))
            self._by_stem[os.path.splitext(name)[0]].append((folders, file))
        self._root = self._telling([part for part in os.fsdecode(root).split("/") if part])
        told = [self._telling(_parts(name)[:-1]) for name in written]
        self._common_written = _common_beginning(told)
        self._common_held = _common_beginning(
            {self._telling(folders) for held in self._by_name.values() for folders, _ in held}
        )
        # Where some names say the root's own folder, others that say another one there are of another place.
        self._root_is_named = bool(self._root) and any(self._root[-1] in folders for folders in told)

    def find(self, written: str) -> FoundFile:
        """Return the image whose path ends most like the written one.

        Raises:
            ImageNotFound: none has this name in such a folder, or several fit equally well.
        """
        parts = _parts(written)
        if not parts:
            raise ImageNotFound(f"{_shown(written)} names no file")
        *folders, name = parts
        named = self._by_name.get(name) or self._by_stem.get(name) or self._by_stem.get(os.path.splitext(name)[0]) or []
        candidates = [held for held in named if not self._contradict(tuple(folders), held[0])]
        if not candidates:
            elsewhere = " (an image of this name lies in another folder)" if named else ""
            raise ImageNotFound(f"{_shown(written)} is not among the images{elsewhere}")
        best = max(_common_end(held, folders) for held, _ in candidates)
        equal = [found for found in candidates if _common_end(found[0], folders) == best]
        exact = [found for found in equal if list(found[0]) == folders]
        if len(equal) > 1 and len(exact) != 1:
            raise ImageNotFound(f"{_shown(written)} fits {len(equal)} images; write its folder, too")
        return (exact or equal)[0][1]

    def _contradict(self, written: Folders, held: Folders) -> bool:
        """Return whether written folders say another place than the one where an image lies."""
        said, found = self._telling(written), self._telling(held)
        same = _common_end(found, said)
        said_rest, found_rest = said[: len(said) - same], found[: len(found) - same]
        if not said_rest:
            return False
        if not found_rest:
            return self._contradicts_root(said_rest)
        if _are_siblings(said_rest[-1], found_rest[-1]):
            return True
        if _are_splits(said_rest) and not any(map(_is_split, found_rest)):
            return False
        moved = (
            said_rest == self._common_written[: len(said_rest)] and found_rest == self._common_held[: len(found_rest)]
        )
        return not moved

    def _contradicts_root(self, said: Folders) -> bool:
        if not self._root or said[-1] == self._root[-1]:
            return False
        return _are_siblings(said[-1], self._root[-1]) or self._root_is_named

    def _telling(self, folders: Sequence[str]) -> Folders:
        return tuple(name for name in folders if not is_container(name) and name.lower() not in self._species)


def _parts(written: str) -> list[str]:
    return [part for part in posix_path(written).split("/") if part not in ("", ".", "..")]


def _is_split(name: str) -> bool:
    return name.lower() in SPLITS


def _are_splits(names: Sequence[str]) -> bool:
    return all(map(_is_split, names))


def _are_siblings(first: str, second: str) -> bool:
    """Return whether two folder names differ as two places of a kind do: `boat_01`, `boat_02`; `train`, `valid`."""
    if _are_splits((first, second)):
        return first.lower() != second.lower()
    numbers = _DIGITS.findall(first), _DIGITS.findall(second)
    return numbers[0] != numbers[1] and _DIGITS.sub("#", first.lower()) == _DIGITS.sub("#", second.lower())


def _common_beginning(paths: Iterable[Folders]) -> Folders:
    found: Folders | None = None
    for path in paths:
        if found is None:
            found = path
        same = 0
        while same < min(len(found), len(path)) and found[same] == path[same]:
            same += 1
        found = found[:same]
    return found or ()


def _shown(written: str) -> str:
    return repr(written if len(written) <= _SHOWN else written[:_SHOWN] + "...")


def _common_end(held: Sequence[str], written: Sequence[str]) -> int:
    """How many folders are the same, counted from the file upwards."""
    count = 0
    for first, second in zip(reversed(held), reversed(written), strict=False):
        if first != second:
            break
        count += 1
    return count
