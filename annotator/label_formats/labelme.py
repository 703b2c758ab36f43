"""Plain labelme files as labels; a folder that `cli review export` wrote is not one: it shows two predictions."""

from __future__ import annotations

import math
from pathlib import Path

from annotator.errors import LabelmeError
from annotator.label_formats.records import LabelFileError, Point, RawBox, RawRecord, RecordProblem, Records
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, posix_path, read_labelme
from annotator.labelme.shown import HIDDEN_KEY
from db.domain.species import LabelSet

_ENDS = ("head", "tail")


def read_labelme_labels(path: Path, label_set: LabelSet) -> Records:
    """Yield a record a JSON file below a folder; a file without shapes says "no fish", one flagged unsure nothing.

    Raises:
        LabelFileError: there is no JSON file.
    """
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    if not files:
        raise LabelFileError(f"{path}: holds no .json files")
    for file in files:
        try:
            held = read_labelme(file)
        except LabelmeError as error:
            yield RecordProblem(str(file), str(error).removeprefix(f"{file}").lstrip(": "))
            continue
        if HIDDEN_KEY in held.extra:
            yield RecordProblem(str(file), "was exported for a review; bring it in with `cli review import`")
        elif held.flags.get("unsure"):
            yield RecordProblem(str(file), "is flagged unsure; left out")
        else:
            yield from _record(held, file, within=path if path.is_dir() else path.parent)


def _record(held: LabelmeFile, file: Path, *, within: Path) -> Records:
    boxes: list[RawBox] = []
    ends: list[tuple[str, Point]] = []
    for index, shape in enumerate(held.shapes):
        if shape.shape_type == "point" and shape.label in _ENDS:
            ends.append((shape.label, shape.points_px[0]))
            continue
        try:
            boxes.append(RawBox(shape.label, _around(shape)))
        except ValueError as error:
            yield RecordProblem(f"{file} shapes[{index}]", f"{error}; this shape is left out")
    if held.flags.get("no_fish"):
        boxes = []
    yield RawRecord(
        _name(held, file, within=within),
        str(file),
        boxes=tuple(boxes),
        ends=tuple(ends),
        size_px=(held.width_px, held.height_px),
    )


def _name(held: LabelmeFile, file: Path, *, within: Path) -> str:
    # imagePath is relative to its JSON file, which may lie in a tree like the images'.
    folder = file.parent.relative_to(within).as_posix()
    return f"{folder}/{posix_path(held.image_path)}" if folder != "." else posix_path(held.image_path)


def _around(shape: LabelmeShape) -> tuple[float, float, float, float]:
    points = shape.points_px
    if shape.shape_type == "circle" and len(points) == 2:
        (x, y), radius = points[0], math.dist(*points)
        return (x - radius, y - radius, x + radius, y + radius)
    if shape.shape_type not in ("rectangle", "polygon", "mask") or len(points) < 2:
        raise ValueError(f"{shape.label!r} is a {shape.shape_type}, wanted a rectangle or a polygon")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))
