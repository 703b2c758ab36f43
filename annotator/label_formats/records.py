"""What every label format comes down to: a picture's name, raw boxes, and the place for messages."""

from __future__ import annotations

import json
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
    """One picture's record as written.

    image_name: a path or name, perhaps without its ending. species: of the whole picture, None where the boxes say
    it; a record without boxes and species says "no fish". size_px: width, height that the file was written for, None
    where it does not say. normalised: xyxy are shares of the picture's sides. ends: `head` and `tail` points.
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


def read_json(path: Path) -> object:
    """Return what a JSON file holds.

    Raises:
        LabelFileError: missing, enormous, torn, not UTF-8; names the file, line and column.
    """
    try:
        if path.stat().st_size > _MAX_FILE_MIB * 2**20:
            raise LabelFileError(f"{path}: larger than {_MAX_FILE_MIB} MiB")
        return json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=_not_a_number)
    except OSError as error:
        raise LabelFileError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise LabelFileError(f"{path}: not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise LabelFileError(f"{path}: not JSON at line {error.lineno} column {error.colno} ({error.msg})") from None
    except RecursionError:
        raise LabelFileError(f"{path}: nested too deeply for a label file") from None
    except ValueError as error:
        raise LabelFileError(f"{path}: {error}") from None


def number(raw: Mapping[str, object], key: str) -> float:
    """Return a number of a record; whether it is finite is judged later.

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
