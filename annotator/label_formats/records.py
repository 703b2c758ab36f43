"""What every label format comes down to: an image's name, raw boxes, and the place for messages."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from annotator.errors import AnnotatorError
from db.domain.species import LabelSet

Point = tuple[float, float]
_MAX_FILE_MIB = 2048


class LabelFileError(AnnotatorError):
    """A label file as a whole cannot be used."""


@dataclass(frozen=True)
class RawBox:
    """A box as written: species text and xyxy, neither checked yet."""

    species: str
    xyxy: tuple[float, float, float, float]


@dataclass(frozen=True)
class RawRecord:
    """One image's record as written.

    image_name: a path or name, perhaps without its ending. species: of the whole image, None where the boxes say
    it; a record without boxes and species says "no fish". size_px: width, height that the file was written for, None
    where it does not say. normalised: xyxy are shares of the image's sides. ends: `head` and `tail` points.
    """

    image_name: str
    place: str
    species: str | None = None
    boxes: tuple[RawBox, ...] = ()
    ends: tuple[tuple[str, Point], ...] = ()
    size_px: tuple[int, int] | None = None
    normalised: bool = False


@dataclass(frozen=True)
class RecordProblem:
    """A record that gives no label, or only a part of one."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


Records = Iterator[RawRecord | RecordProblem]


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


def number(raw: Mapping[str, object], key: str) -> float:
    """Return a number of a record; whether it is finite is evaluated later.

    Raises:
        ValueError: missing, or no number.
    """
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key!r} is {str(value)[:40]!r}, wanted a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{key!r} is too large") from None


def species_named(written: str, label_set: LabelSet) -> str | None:
    """Return the species that a text means, whatever its case; None where there is none."""
    return {name.lower(): name for name in label_set.names}.get(written.strip().lower())


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(f"found {constant}, wanted a finite number")
