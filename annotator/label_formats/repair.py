"""Turns a raw record into a label in pixels of the upright image: repaired by stated rules, or refused with a reason.

Repaired, with a note: a box inside out is turned; a box beyond the frame is cut at it; a file written for another size
of the same shape is scaled. Everything else that is odd about a box (empty, not finite, wholly outside, of no known
species, in shares of the image where pixels are wanted) leaves the image out, because the rest alone would teach that
this fish is background.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from annotator.label_formats.records import Point, RawBox, RawRecord, species_named
from annotator.label_formats.settle import box_text
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
    notes = list(raw.notes)
    try:
        scale = _scale(raw, size_px=(width_px, height_px))
        if not raw.normalised and scale != (1.0, 1.0):
            notes.append(f"boxes scaled by {scale[0]:.3f} to the image's size")
        boxes = [_labelled(box, scale, (width_px, height_px), label_set, notes) for box in raw.boxes]
        boxes = _with_ends(boxes, _scaled_ends(raw.ends, scale))
        species = _species(raw, boxes, label_set)
        if raw.ends and species == NO_FISH:
            raise ValueError(f"a {raw.ends[0][0]} is marked, but there is no box around its fish")
        return Repaired(ImageLabel(species, tuple(boxes)), tuple(notes))
    except ValueError as error:
        return Repaired(None, problems=(str(error),))


def _labelled(
    raw: RawBox, scale: tuple[float, float], size_px: tuple[int, int], label_set: LabelSet, notes: list[str]
) -> LabelledBox:
    species = species_named(raw.species, label_set)
    if species is None:
        raise ValueError(unknown_species_text(raw.species, label_set))
    if species == NO_FISH:
        raise ValueError(f"box {box_text(raw)} is a box around no fish")
    return _with_own_ends(LabelledBox(_box(raw, scale, size_px, notes), species), _scaled_ends(raw.ends, scale))


def _scale(raw: RawRecord, *, size_px: tuple[int, int]) -> tuple[float, float]:
    width_px, height_px = size_px
    if raw.normalised:
        return (float(width_px), float(height_px))
    for box in raw.boxes:
        if max(box.xyxy) <= 1.0 < max(size_px):
            raise ValueError(f"box {box_text(box)} lies within 0..1; wanted pixels, not shares of the image")
    if raw.size_px is None or raw.size_px == size_px:
        return (1.0, 1.0)
    x, y = width_px / raw.size_px[0], height_px / raw.size_px[1]
    if abs(x / y - 1.0) > _SAME_SHAPE:
        raise ValueError(
            f"written for {raw.size_px[0]} x {raw.size_px[1]} pixels, the image has {width_px} x {height_px}"
        )
    return (x, y)


def _box(raw: RawBox, scale: tuple[float, float], size_px: tuple[int, int], notes: list[str]) -> Box:
    x0, y0, x1, y1 = (value * scale[axis % 2] for axis, value in enumerate(raw.xyxy))
    shown = box_text(raw)
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


def _species(raw: RawRecord, boxes: list[LabelledBox], label_set: LabelSet) -> str:
    """The image's species: of its largest fish, else what the record says of the whole, else no fish."""
    if boxes:
        return max(boxes, key=lambda labelled: labelled.box.area_px).species
    species = NO_FISH if raw.species is None else species_named(raw.species, label_set)
    if species is None:
        raise ValueError(unknown_species_text(raw.species or "", label_set))
    return species


def _scaled_ends(ends: Sequence[tuple[str, Point]], scale: tuple[float, float]) -> list[tuple[str, Point]]:
    for name, point in ends:
        if not _is_finite(point):
            raise ValueError(f"{name} {point} is not a number")
    return [(name, (x * scale[0], y * scale[1])) for name, (x, y) in ends]


def _with_ends(boxes: list[LabelledBox], ends: list[tuple[str, Point]]) -> list[LabelledBox]:
    """Give each head and tail to the nearest and smallest box."""
    found = list(boxes)
    for name, point in ends if found else []:
        owner = min(range(len(found)), key=lambda place: (_distance(found[place].box, point), found[place].box.area_px))
        found[owner] = _with_own_ends(found[owner], [(name, point)])
    return found


def _with_own_ends(labelled: LabelledBox, ends: Sequence[tuple[str, Point]]) -> LabelledBox:
    points = dict(ends)
    head, tail = points.get("head", labelled.head_px), points.get("tail", labelled.tail_px)
    return LabelledBox(labelled.box, labelled.species, head, tail)


def _distance(box: Box, point: Point) -> float:
    x, y = point
    return math.hypot(max(box.x_min - x, 0.0, x - box.x_max), max(box.y_min - y, 0.0, y - box.y_max))
