"""Turns a raw record into a label in pixels of the upright image: repaired by stated rules, or refused with a reason.

Repaired, with a note: a box inside out is turned; a box beyond the frame is cut at it; a file written for another size
of the same shape is scaled. Left out, as a problem: a box that is empty, not finite or wholly outside (there is
nothing to learn there). The whole image is left out where a box names no known species, because the rest alone
would teach that this fish is background.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from annotator.label_formats.records import Point, RawBox, RawRecord, species_named
from db.domain.boxes import Box, clip_box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import NO_FISH, LabelSet, unknown_species_text

_SAME_SHAPE = 0.02  # an image scaled to whole pixels keeps its shape within this
_SLACK_PX = 1.0  # rounding at the frame is not worth a note


@dataclass(frozen=True)
class Repaired:
    """A label, or None; notes say what was repaired, problems what was left out."""

    label: ImageLabel | None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def repair(raw: RawRecord, *, width_px: int, height_px: int, label_set: LabelSet) -> Repaired:
    """Return the label that a record means for an image of this upright size."""
    notes: list[str] = []
    problems: list[str] = []
    scale = _scale(raw, width_px=width_px, height_px=height_px)
    if scale is None:
        assert raw.size_px is not None
        written = f"{raw.size_px[0]} x {raw.size_px[1]}"
        text = f"written for {written} pixels, the image has {width_px} x {height_px}; left out"
        return Repaired(None, problems=(text,))
    if not raw.normalised and scale != (1.0, 1.0):
        notes.append(f"boxes scaled by {scale[0]:.3f} to the image's size")
    boxes: list[LabelledBox] = []
    for box in raw.boxes:
        species = species_named(box.species, label_set)
        if species is None:
            return Repaired(None, problems=(f"{unknown_species_text(box.species, label_set)}; the image is left out",))
        try:
            boxes.append(LabelledBox(_box(box, scale, (width_px, height_px), notes), species))
        except ValueError as error:
            problems.append(f"{error}; this box is left out")
    ends = [(name, (x * scale[0], y * scale[1])) for name, (x, y) in raw.ends]
    problems += [f"{name} {point} is not a number; left out" for name, point in ends if not _is_finite(point)]
    boxes = _with_ends(boxes, [(name, point) for name, point in ends if _is_finite(point)])
    species = _species(raw, boxes, label_set)
    if species is None:
        assert raw.species is not None
        return Repaired(None, problems=(f"{unknown_species_text(raw.species, label_set)}; the image is left out",))
    if raw.boxes and not boxes and raw.species is None:
        return Repaired(None, tuple(notes), (*problems, "no box is left, and nothing else says what is in the image"))
    return Repaired(ImageLabel(species, tuple(boxes)), tuple(notes), tuple(problems))


def _scale(raw: RawRecord, *, width_px: int, height_px: int) -> tuple[float, float] | None:
    if raw.normalised:
        return (float(width_px), float(height_px))
    if raw.size_px is None or raw.size_px == (width_px, height_px):
        return (1.0, 1.0)
    x, y = width_px / raw.size_px[0], height_px / raw.size_px[1]
    return (x, y) if abs(x / y - 1.0) <= _SAME_SHAPE else None


def _box(raw: RawBox, scale: tuple[float, float], size_px: tuple[int, int], notes: list[str]) -> Box:
    x0, y0, x1, y1 = (value * scale[axis % 2] for axis, value in enumerate(raw.xyxy))
    shown = f"{raw.species} {_shown(raw)}"
    if not _is_finite((x0, y0, x1, y1)):
        raise ValueError(f"box {shown} has a coordinate that is not a number")
    if x1 < x0 or y1 < y0:
        notes.append(f"box {shown} was inside out; turned")
        x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    if x1 == x0 or y1 == y0:
        raise ValueError(f"box {shown} is empty")
    clipped = clip_box(Box(x0, y0, x1, y1), width_px=size_px[0], height_px=size_px[1])
    if clipped is None:
        raise ValueError(f"box {shown} lies outside the image of {size_px[0]} x {size_px[1]} pixels")
    if min(x0, y0) < -_SLACK_PX or x1 > size_px[0] + _SLACK_PX or y1 > size_px[1] + _SLACK_PX:
        notes.append(f"box {shown} reached beyond the frame; cut there")
    return clipped


def _is_finite(values: Sequence[float]) -> bool:
    return all(map(math.isfinite, values))


def _shown(raw: RawBox) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in raw.xyxy) + ")"


def _species(raw: RawRecord, boxes: list[LabelledBox], label_set: LabelSet) -> str | None:
    """The image's species: of its largest fish, else what the record says of the whole, else no fish."""
    if boxes:
        return max(boxes, key=lambda labelled: labelled.box.area_px).species
    return NO_FISH if raw.species is None else species_named(raw.species, label_set)


def _with_ends(boxes: list[LabelledBox], ends: list[tuple[str, Point]]) -> list[LabelledBox]:
    """Give each head and tail to the nearest and smallest box."""
    found = list(boxes)
    for name, point in ends if found else []:
        owner = min(range(len(found)), key=lambda place: (_distance(found[place].box, point), found[place].box.area_px))
        held = found[owner]
        head, tail = (point, held.tail_px) if name == "head" else (held.head_px, point)
        found[owner] = LabelledBox(held.box, held.species, head, tail)
    return found


def _distance(box: Box, point: Point) -> float:
    x, y = point
    return math.hypot(max(box.x_min - x, 0.0, x - box.x_max), max(box.y_min - y, 0.0, y - box.y_max))
