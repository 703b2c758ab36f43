"""Plain labelme files as labels; a folder that `cli review export` wrote is not one: it shows two predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from annotator.errors import LabelmeError
from annotator.label_formats.records import (
    LabelFileError,
    Point,
    RawBox,
    RawRecord,
    RecordProblem,
    Records,
    extent,
    label_files,
    species_named,
)
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, posix_path, read_labelme
from annotator.labelme.marks import FLAG_NO_FISH, FLAG_REVIEWED, FLAG_UNSURE, POINT_LABELS
from annotator.labelme.shown import HIDDEN_KEY
from db.domain.species import NO_FISH, LabelSet

_Flags = Mapping[str, bool]


def read_labelme_labels(path: Path, label_set: LabelSet) -> Records:
    """Yield a record a JSON file below a folder; a file without shapes and flags says "no fish".

    Flags named like species say what the whole image shows. A file flagged unsure says nothing.

    Raises:
        LabelFileError: there is no JSON file.
    """
    files = label_files(path, ".json")
    if not files:
        raise LabelFileError(f"{path}: holds no .json files")
    for file in files:
        try:
            held = read_labelme(file, sized=False)
        except LabelmeError as error:
            yield RecordProblem(str(file), str(error).removeprefix(f"{file}").lstrip(": "))
            continue
        if HIDDEN_KEY in held.extra:
            yield RecordProblem(str(file), "was exported for a review; bring it in with `cli review import`")
        elif held.flags.get(FLAG_UNSURE):
            yield RecordProblem(str(file), "is flagged unsure; left out")
        else:
            yield _record(held, file, label_set, within=path if path.is_dir() else path.parent)


def _record(held: LabelmeFile, file: Path, label_set: LabelSet, *, within: Path) -> RawRecord:
    boxes: list[RawBox] = []
    ends: list[tuple[str, Point]] = []
    problems: list[RecordProblem] = []
    for index, shape in enumerate(held.shapes):
        if shape.shape_type == "point" and shape.label in POINT_LABELS:
            ends.append((shape.label, shape.points_px[0]))
            continue
        try:
            boxes.append(RawBox(shape.label, _around(shape)))
        except ValueError as error:
            problems.append(RecordProblem(f"{file} shapes[{index}]", str(error)))
    species: str | None = None
    try:
        species = _species_by_flags(held.flags, label_set, has_shapes=bool(held.shapes))
    except ValueError as error:
        problems.append(RecordProblem(f"{file} flags", str(error)))
    return RawRecord(
        _name(held, file, within=within),
        str(file),
        species=species,
        boxes=tuple(boxes),
        ends=tuple(ends),
        size_px=(held.width_px, held.height_px) if held.width_px else None,
        problems=tuple(problems),
    )


def _species_by_flags(flags: _Flags, label_set: LabelSet, *, has_shapes: bool) -> str | None:
    """Return the species that the image's flags say, None where they say none.

    Raises:
        ValueError: they say two, or something that is not understood where no shape says what the image shows.
    """
    known = {name: NO_FISH if name == FLAG_NO_FISH else species_named(name, label_set) for name in flags}
    said = sorted({species for name, species in known.items() if species is not None and flags[name]})
    if len(said) > 1:
        raise ValueError(f"say {' and '.join(said)} at once")
    if said or has_shapes:
        return said[0] if said else None
    odd = [name for name, on in flags.items() if on and known[name] is None and name != FLAG_REVIEWED]
    if odd:
        raise ValueError(f"{odd[0][:60]!r} is set, which is no known species, and no shape says what is in the image")
    if any(species is not None and name != FLAG_NO_FISH for name, species in known.items()):
        raise ValueError("none of the species is set, and no shape says what is in the image")
    return None


def _name(held: LabelmeFile, file: Path, *, within: Path) -> str:
    # imagePath is relative to its JSON file, which may lie in a tree like the images'.
    folder = file.parent.relative_to(within).as_posix()
    return f"{folder}/{posix_path(held.image_path)}" if folder != "." else posix_path(held.image_path)


def _around(shape: LabelmeShape) -> tuple[float, float, float, float]:
    """Return the box around a shape: of a measured line, a turned rectangle or a mask as of a polygon."""
    points = shape.points_px
    if len(points) < 2:
        raise ValueError(f"{shape.label[:60]!r} is one point ({shape.shape_type[:60]}), wanted a shape around the fish")
    if shape.shape_type == "circle" and len(points) == 2:
        (x, y), radius = points[0], math.dist(*points)
        return (x - radius, y - radius, x + radius, y + radius)
    return extent(points)
