"""What every label format comes down to: an image's name, raw boxes, and the place for messages."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from annotator.errors import AnnotatorError
from db.domain.species import LabelSet

Point = tuple[float, float]
_MAX_FILE_MIB = 2048
MAX_SIDE_PX = 2**31
_SHOWN = 60


class LabelFileError(AnnotatorError):
    """A label file as a whole cannot be used."""


@dataclass(frozen=True)
class RawBox:
    """A box as written: species text and xyxy, neither checked yet. ends: its own `head` and `tail` points."""

    species: str
    xyxy: tuple[float, float, float, float]
    ends: tuple[tuple[str, Point], ...] = ()


@dataclass(frozen=True)
class RawRecord:
    """One image's record as written.

    image_name: a path or name, perhaps without its ending. species: of the whole image, None where the boxes say
    it; a record without boxes and species says "no fish". size_px: width, height that the file was written for, None
    where it does not say. normalised: xyxy are shares of the image's sides. ends: `head` and `tail` points of any box.
    partial: other records may add fish to the image (one file a species). notes: what was read and is worth telling.
    problems: parts that were not understood; they refuse the image, because the rest alone would teach that what they
    mean is background.
    """

    image_name: str
    place: str
    species: str | None = None
    boxes: tuple[RawBox, ...] = ()
    ends: tuple[tuple[str, Point], ...] = ()
    size_px: tuple[int, int] | None = None
    normalised: bool = False
    partial: bool = False
    notes: tuple[str, ...] = ()
    problems: tuple[RecordProblem, ...] = ()


@dataclass(frozen=True)
class RecordProblem:
    """A record, or a part of one, that was not understood."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


@dataclass(frozen=True)
class RecordNote:
    """Something of a file that is worth telling and costs no image."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


Records = Iterator[RawRecord | RecordProblem | RecordNote]


def read_text(path: Path) -> str:
    """Return the text of a label file; a pipe or device in a folder of labels is never waited for.

    Raises:
        LabelFileError: missing, no regular file, enormous, not UTF-8.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise LabelFileError(f"{path}: a pipe, folder or device, wanted a file")
            if status.st_size > _MAX_FILE_MIB * 2**20:
                raise LabelFileError(f"{path}: larger than {_MAX_FILE_MIB} MiB")
            return file.read().decode("utf-8-sig")
    except OSError as error:
        raise LabelFileError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise LabelFileError(f"{path}: not UTF-8 at byte {error.start}") from None


def read_json(path: Path) -> object:
    """Return what a JSON file holds.

    Raises:
        LabelFileError: as `read_text`, or torn; names the file, line and column.
    """
    written = read_text(path)
    try:
        return json.loads(written, parse_constant=_not_a_number)
    except json.JSONDecodeError as error:
        raise LabelFileError(f"{path}: not JSON at line {error.lineno} column {error.colno} ({error.msg})") from None
    except RecursionError:
        raise LabelFileError(f"{path}: nested too deeply for a label file") from None
    except ValueError as error:
        raise LabelFileError(f"{path}: {error}") from None


def label_files(path: Path, suffix: str, *, below: bool = True) -> list[Path]:
    """Return the label files of a folder (below: and of those in it) in order, or the file that path itself is.

    Endings count in any case. Hidden files are none: macOS leaves a `._name.json` beside every `name.json`.
    """
    if not path.is_dir():
        return [path]
    found = path.rglob("*") if below else path.glob("*")
    return sorted(file for file in found if file.suffix.lower() == suffix and not _is_hidden(file.relative_to(path)))


def as_number(value: object) -> float | None:
    """Return the number that a value is or that its text means; None where it is none.

    >>> as_number(3), as_number(" 3.5 "), as_number(True), as_number("3,5"), as_number(10**400)
    (3.0, 3.5, None, None, inf)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except ValueError:
        return None


def as_whole(value: object) -> int | None:
    """Return the whole number that a value means (3, 3.0, "3"); None where it is none.

    >>> as_whole("3.0"), as_whole(3.5), as_whole(None)
    (3, None, None)
    """
    found = as_number(value)
    return int(found) if found is not None and math.isfinite(found) and found.is_integer() else None


def number(raw: Mapping[str, object], key: str) -> float:
    """Return a number of a record, also where it is written as text; whether it is finite is evaluated later.

    Raises:
        ValueError: missing, or no number.
    """
    found = as_number(raw.get(key))
    if found is None:
        raise ValueError(f"{key!r} is {shown(raw.get(key))}, wanted a number")
    return found


def size_of(width: object, height: object) -> tuple[int, int] | None:
    """Return the size that a record was written for, None where it does not say (missing, null or 0).

    Raises:
        ValueError: it says something else than a size.
    """
    if width in (None, 0) or height in (None, 0):
        return None
    sides = as_whole(width), as_whole(height)
    if sides[0] is None or sides[1] is None or not all(0 < side < MAX_SIDE_PX for side in sides if side is not None):
        raise ValueError(f"its size is {shown(width)} x {shown(height)}, wanted pixels")
    return sides[0], sides[1]


def extent(points: Sequence[Point]) -> tuple[float, float, float, float]:
    """Return the box around points.

    >>> extent([(1, 5), (3, 2), (2, 9)])
    (1, 2, 3, 9)
    """
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def shown(value: object) -> str:
    """Return a value of a file as a message shows it: quoted, escaped and short."""
    text = repr(value) if not isinstance(value, list | dict) else repr(f"a {type(value).__name__}")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def species_named(written: str, label_set: LabelSet) -> str | None:
    """Return the species that a text means, whatever its case; None where there is none."""
    return label_set.named(written)


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(f"found {constant}, wanted a finite number")


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)
