"""Labelme's JSON files as typed values: read strictly (they come from anywhere), written whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import NoReturn

from annotator.errors import LabelmeError
from db.whole_files import write_whole

LABELME_FORMAT = "6.3.1"
# A person may save with the image inside (`--with-image-data`), so the cap is a large image's, not a label's.
MAX_FILE_MIB = 64
MAX_SHAPES = 10_000
MAX_POINTS = 100_000
# labelme keeps points inside the image; what lies this many image sizes outside is damage, not a slip of the hand.
FAR_AWAY = 1.0

Point = tuple[float, float]

_FILE_KEYS = frozenset({"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"})
_SHAPE_KEYS = frozenset({"label", "points", "group_id", "description", "shape_type", "flags", "mask"})


@dataclass(frozen=True)
class LabelmeShape:
    """One shape; points in pixels of the upright image. extra: keys that are not labelme's own, kept as they came."""

    label: str
    points_px: tuple[Point, ...]
    shape_type: str
    description: str = ""
    group_id: int | None = None
    flags: Mapping[str, bool] = field(default_factory=dict)
    mask: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelmeFile:
    """One labelme file; sizes are the upright image's, 0 where an old file says none.

    image_path is as written in the file: not to be trusted.
    """

    image_path: str
    width_px: int
    height_px: int
    shapes: tuple[LabelmeShape, ...] = ()
    flags: Mapping[str, bool] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)
    version: str = LABELME_FORMAT


def posix_path(written: str) -> str:
    """Return a path with '/' between its folders, whichever system wrote it.

    >>> posix_path("..\\\\images\\\\0001.jpg")
    '../images/0001.jpg'
    """
    return PureWindowsPath(written).as_posix()


def read_labelme(path: Path, *, sized: bool = True) -> LabelmeFile:
    """Return what a labelme file says; labelme 6 and 7 write the same layout, with `description` and `mask` optional.

    sized: refuse a file without the image's size; labelme 3 wrote none, and its points cannot be checked here.

    Raises:
        LabelmeError: names the file and `shapes[i]`; torn, enormous, not labelme's, or with impossible points.
    """
    place = str(path)
    document = _object(_parse(_read_capped(path), place=place), place=place, wanted="a JSON object")
    sizes = [_size(document, key, place=place, required=sized) for key in ("imageWidth", "imageHeight")]
    width_px, height_px = sizes if all(sizes) else (0, 0)
    shapes = document.get("shapes")
    if not isinstance(shapes, list) or len(shapes) > MAX_SHAPES:
        _refuse(place, f"found no list of at most {MAX_SHAPES} shapes under 'shapes'")
    frame = (float(width_px), float(height_px)) if width_px else (math.inf, math.inf)
    return LabelmeFile(
        image_path=_text(document, "imagePath", place=place),
        width_px=width_px,
        height_px=height_px,
        shapes=tuple(_shape(raw, place=f"{place} shapes[{i}]", frame_px=frame) for i, raw in enumerate(shapes)),
        flags=_flags(document.get("flags"), place=place),
        extra={key: value for key, value in document.items() if key not in _FILE_KEYS},
        version=str(document.get("version", "")),
    )


def write_labelme(path: Path, content: LabelmeFile, *, synced: bool = True) -> None:
    """Write a labelme file; whoever reads the path sees the old file or the new one, never a part.

    Raises:
        OSError: the folder cannot be written.
    """
    # ASCII only: a lone surrogate in a kept key would otherwise end the write.
    text = json.dumps(_document(content), indent=2, ensure_ascii=True, allow_nan=False)
    write_whole(path, text.encode("ascii"), synced=synced)


def _document(content: LabelmeFile) -> dict[str, object]:
    return {
        "version": content.version,
        "flags": dict(content.flags),
        "shapes": [_shape_document(shape) for shape in content.shapes],
        "imagePath": content.image_path,
        "imageData": None,
        "imageHeight": content.height_px,
        "imageWidth": content.width_px,
        **content.extra,
    }


def _shape_document(shape: LabelmeShape) -> dict[str, object]:
    return {
        "label": shape.label,
        "points": [list(point) for point in shape.points_px],
        "group_id": shape.group_id,
        "description": shape.description,
        "shape_type": shape.shape_type,
        "flags": dict(shape.flags),
        "mask": shape.mask,
        **shape.extra,
    }


def _read_capped(path: Path) -> bytes:
    limit = MAX_FILE_MIB * 1024 * 1024
    try:
        # Not blocking: a pipe in the folder must not hold the import up.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise LabelmeError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > limit:
        _refuse(str(path), f"larger than {MAX_FILE_MIB} MiB, too large for a labelme file")
    return content


def _parse(content: bytes, *, place: str) -> object:
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_not_a_number)
    except UnicodeDecodeError as error:
        raise LabelmeError(f"{place}: not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise LabelmeError(
            f"{place}: torn or not JSON at line {error.lineno} column {error.colno} ({error.msg})"
        ) from None
    except RecursionError:
        raise LabelmeError(f"{place}: nested too deeply for a labelme file") from None
    except ValueError as error:
        raise LabelmeError(f"{place}: {error}") from None


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(f"found {constant}, wanted a finite number")


def _shape(raw: object, *, place: str, frame_px: Point) -> LabelmeShape:
    shape = _object(raw, place=place, wanted="a shape")
    points = shape.get("points")
    if not isinstance(points, list) or not 0 < len(points) <= MAX_POINTS:
        _refuse(place, f"found no list of 1 to {MAX_POINTS} points")
    group_id = shape.get("group_id")
    if group_id is not None and (not isinstance(group_id, int) or isinstance(group_id, bool)):
        _refuse(place, "group_id is not a whole number")
    return LabelmeShape(
        label=_text(shape, "label", place=place),
        points_px=tuple(
            _point(point, place=f"{place} points[{i}]", frame_px=frame_px) for i, point in enumerate(points)
        ),
        shape_type=_text(shape, "shape_type", place=place, default="polygon"),
        description=_text(shape, "description", place=place, default=""),
        group_id=group_id,
        flags=_flags(shape.get("flags"), place=place),
        mask=_text(shape, "mask", place=place, default="") or None,
        extra={key: value for key, value in shape.items() if key not in _SHAPE_KEYS},
    )


def _point(raw: object, *, place: str, frame_px: Point) -> Point:
    if not isinstance(raw, list) or len(raw) != 2:
        _refuse(place, "wanted [x, y]")
    x, y = (_coordinate(value, place=place) for value in raw)
    for value, side_px in ((x, frame_px[0]), (y, frame_px[1])):
        if math.isfinite(side_px) and not -FAR_AWAY * side_px <= value <= (1.0 + FAR_AWAY) * side_px:
            _refuse(place, f"({x:g}, {y:g}) is far outside the image of {frame_px[0]:g} x {frame_px[1]:g} pixels")
    return (x, y)


def _coordinate(value: object, *, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(place, f"found {str(value)[:40]!r}, wanted a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _refuse(place, "wanted a finite number")
    return number


def _size(document: Mapping[str, object], key: str, *, place: str, required: bool) -> int:
    value = document.get(key)
    if value is None and not required:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 8:
        value = int(value)  # some converters write numbers as text
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1_000_000:
        _refuse(place, f"{key} is {str(value)[:40]!r}, wanted the image's size in pixels")
    return value


def _text(document: Mapping[str, object], key: str, *, place: str, default: str | None = None) -> str:
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        _refuse(place, f"{key!r} is missing or no text")
    return value


def _flags(raw: object, *, place: str) -> dict[str, bool]:
    if raw is None:
        return {}
    flags = _object(raw, place=place, wanted="flags by name")
    if not all(isinstance(value, bool) for value in flags.values()):
        _refuse(place, "a flag is neither true nor false")
    return {key: bool(value) for key, value in flags.items()}


def _object(raw: object, *, place: str, wanted: str) -> dict[str, object]:
    if not isinstance(raw, dict):
        _refuse(place, f"found {type(raw).__name__}, wanted {wanted}")
    return raw


def _refuse(place: str, text: str) -> NoReturn:
    raise LabelmeError(f"{place}: {text}")
