"""The difference between what a person was shown and what they left: the answer that becomes a correction.

Rules that surprise:
- Every rectangle left standing is a fish: those shown are the boxes of the one answer.
- An outline (of a heat-map region, of another prediction's box) is no fish until it is moved or relabelled.
- A shape changed is an answer even without the flag `reviewed`; `no_fish` clears what was shown and left untouched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from annotator.errors import AmbiguousEdit, LabelmeError
from annotator.labelme.json_files import LabelmeFile, LabelmeShape, Point
from annotator.labelme.marks import FLAG_NO_FISH, FLAG_REVIEWED, FLAG_UNSURE, POINT_LABELS
from annotator.labelme.shown import ExportedShape, ExportedState, ShapeRole, box_around, shape_id_of
from db.domain.boxes import Box, clip_box, iou
from db.domain.corrections import DECIDED, BoxChange, Change, CorrectionOutcome
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import NO_FISH, LabelSet, unknown_species_text

# labelme writes what it read; half a pixel only forgives other programs' rounding.
SAME_PLACE_PX = 0.5
# Also the overlap from which a redrawn box is the same fish as one that was deleted.
SAME_FISH_IOU = 0.5


@dataclass(frozen=True)
class Comparison:
    """A person's answer. changes: the boxes of the label, in the file's order, then the removed ones."""

    outcome: CorrectionOutcome
    label: ImageLabel | None
    changes: tuple[BoxChange, ...]


@dataclass(frozen=True)
class _Edited:
    """One fish-like shape of the edited file: index for messages, and the shown shape it is matched to."""

    index: int
    shape: LabelmeShape
    box: Box
    shown: ExportedShape | None = None

    @property
    def untouched(self) -> bool:
        return self.shown is not None and self.change is Change.KEPT

    @property
    def change(self) -> Change:
        if self.shown is None:
            return Change.ADDED
        if self.shape.label != self.shown.species:
            return Change.RELABELLED
        return Change.KEPT if _same_place(self.shape.points_px, self.shown.points_px) else Change.MOVED


def compare(exported: ExportedState, edited: LabelmeFile, *, label_set: LabelSet) -> Comparison:
    """Return what a person said of an image, from what they were shown and what they left.

    Raises:
        LabelmeError: an unknown label, a box without area, another image's size; names `shapes[i]`.
        AmbiguousEdit: what was left says two things at once.
    """
    if (edited.width_px, edited.height_px) != (exported.width_px, exported.height_px):
        raise LabelmeError(
            f"the image is {edited.width_px} x {edited.height_px} pixels, "
            f"{exported.width_px} x {exported.height_px} was exported"
        )
    exported = replace(exported, shapes=tuple(_named_now(shown, label_set) for shown in exported.shapes))
    fish, points = _sort_shapes(edited, label_set=label_set)
    fish = _match(_without_idle(fish, exported), exported)
    removed = _removed(fish, exported)
    fish = tuple(found for found in fish if found.shape.label != NO_FISH)
    if points and not fish:
        raise AmbiguousEdit(f"a {points[0].label} is marked, but there is no box around its fish")
    touched = bool(removed or points) or any(not found.untouched for found in fish)
    outcome = _outcome(edited, fish=fish, removed=removed, touched=touched)
    if outcome not in DECIDED:
        return Comparison(outcome, None, ())
    if outcome is CorrectionOutcome.CONFIRMED_EMPTY:
        everything = tuple(_remove(shown) for shown in exported.shapes if shown.role is ShapeRole.ANSWER)
        return Comparison(outcome, ImageLabel(NO_FISH), everything)
    kept = _with_points(fish, points)
    return Comparison(outcome, _label(kept), kept + removed)


def _named_now(shown: ExportedShape, label_set: LabelSet) -> ExportedShape:
    """A species may have been renamed since it was shown."""
    return replace(shown, species=label_set.named(shown.species) or shown.species)


def _sort_shapes(edited: LabelmeFile, *, label_set: LabelSet) -> tuple[tuple[_Edited, ...], tuple[LabelmeShape, ...]]:
    fish: list[_Edited] = []
    points: list[LabelmeShape] = []
    for index, shape in enumerate(edited.shapes):
        if shape.shape_type == "point" and shape.label in POINT_LABELS:
            points.append(shape)
        elif (species := label_set.named(shape.label)) is None:
            raise LabelmeError(f"shapes[{index}]: {unknown_species_text(shape.label, label_set)}")
        else:
            box = _box_of(shape, index=index, edited=edited)
            fish.append(_Edited(index, replace(shape, label=species), box))
    return tuple(fish), tuple(points)


def _box_of(shape: LabelmeShape, *, index: int, edited: LabelmeFile) -> Box:
    points = shape.points_px
    if shape.shape_type == "circle" and len(points) == 2:
        radius_px = math.dist(points[0], points[1])
        (x, y), points = points[0], ()
        points = ((x - radius_px, y - radius_px), (x + radius_px, y + radius_px))
    try:
        clipped = clip_box(box_around(points), width_px=edited.width_px, height_px=edited.height_px)
    except ValueError:
        raise LabelmeError(f"shapes[{index}]: a {shape.shape_type} without area is no box around a fish") from None
    if clipped is None:
        raise LabelmeError(f"shapes[{index}]: lies outside the image")
    return clipped


def _match(fish: tuple[_Edited, ...], exported: ExportedState) -> tuple[_Edited, ...]:
    """Match by id, the nearest copy first; then what has no partner by overlap (deleted and drawn anew)."""
    matched = dict(enumerate(fish))
    free = {shown.shape_id: shown for shown in exported.shapes if shown.role is ShapeRole.ANSWER}
    pairs = [
        (_distance_px(found.box, free[shape_id].box), place, shape_id)
        for place, found in matched.items()
        if (shape_id := shape_id_of(found.shape)) in free and shape_id is not None
    ]
    for _, place, shape_id in sorted(pairs):
        if shape_id in free and matched[place].shown is None:
            matched[place] = replace(matched[place], shown=free.pop(shape_id))
    overlaps = [
        (-iou(found.box, shown.box), place, shown.shape_id)
        for place, found in matched.items()
        if found.shown is None
        for shown in free.values()
        if iou(found.box, shown.box) >= SAME_FISH_IOU
    ]
    for _, place, shape_id in sorted(overlaps):
        if shape_id in free and matched[place].shown is None:
            matched[place] = replace(matched[place], shown=free.pop(shape_id))
    return tuple(matched.values())


def _without_idle(fish: tuple[_Edited, ...], exported: ExportedState) -> tuple[_Edited, ...]:
    """Leave out outlines as they were shown, and copies that lie exactly on what was copied."""
    outlines = {shown.shape_id: shown for shown in exported.shapes if shown.role is ShapeRole.OUTLINE}
    left: list[_Edited] = []
    for found in fish:
        outline = outlines.get(shape_id_of(found.shape) or "")
        idle = outline is not None and replace(found, shown=outline).change is Change.KEPT
        if not idle and not any(_is_copy(found, other) for other in left):
            left.append(found)
    return tuple(left)


def _is_copy(found: _Edited, other: _Edited) -> bool:
    same_id = shape_id_of(found.shape) is not None and shape_id_of(found.shape) == shape_id_of(other.shape)
    return same_id and found.shape.label == other.shape.label and _distance_px(found.box, other.box) <= SAME_PLACE_PX


def _removed(fish: tuple[_Edited, ...], exported: ExportedState) -> tuple[BoxChange, ...]:
    left = {found.shown.shape_id for found in fish if found.shown is not None and found.shape.label != NO_FISH}
    return tuple(
        _remove(shown) for shown in exported.shapes if shown.role is ShapeRole.ANSWER and shown.shape_id not in left
    )


def _outcome(
    edited: LabelmeFile, *, fish: tuple[_Edited, ...], removed: tuple[BoxChange, ...], touched: bool
) -> CorrectionOutcome:
    if edited.flags.get(FLAG_UNSURE):
        return CorrectionOutcome.UNSURE
    if edited.flags.get(FLAG_NO_FISH):
        drawn = [found.index for found in fish if not found.untouched]
        if drawn:
            raise AmbiguousEdit(f"shapes[{drawn[0]}]: a fish was drawn or changed, but the flag {FLAG_NO_FISH} is set")
        return CorrectionOutcome.CONFIRMED_EMPTY
    if not touched and not edited.flags.get(FLAG_REVIEWED):
        return CorrectionOutcome.UNTOUCHED
    if not fish:
        return CorrectionOutcome.CONFIRMED_EMPTY
    changed = bool(removed) or any(not found.untouched for found in fish)
    return CorrectionOutcome.CORRECTED if changed else CorrectionOutcome.CONFIRMED


def _with_points(fish: tuple[_Edited, ...], points: tuple[LabelmeShape, ...]) -> tuple[BoxChange, ...]:
    ends: dict[tuple[int, str], Point] = {}
    for point in points:
        owner = min(fish, key=lambda found: _point_rank(found, point))
        ends[owner.index, point.label] = point.points_px[0]
    return tuple(
        _box_change(found, head_px=ends.get((found.index, "head")), tail_px=ends.get((found.index, "tail")))
        for found in fish
    )


def _point_rank(found: _Edited, point: LabelmeShape) -> tuple[bool, float, float]:
    """How well a box suits a point: of its group first, then the nearest, then the smallest box around it."""
    x, y = point.points_px[0]
    box = found.box
    outside_px = math.hypot(max(box.x_min - x, 0, x - box.x_max), max(box.y_min - y, 0, y - box.y_max))
    other_group = point.group_id is None or point.group_id != found.shape.group_id
    return (other_group, outside_px, box.area_px)


def _box_change(found: _Edited, *, head_px: Point | None, tail_px: Point | None) -> BoxChange:
    shown = found.shown
    return BoxChange(
        change=found.change,
        before=None if shown is None else LabelledBox(shown.box, shown.species),
        after=LabelledBox(found.box, found.shape.label, head_px=head_px, tail_px=tail_px),
        detection_id=None if shown is None else shown.detection_id,
    )


def _remove(shown: ExportedShape) -> BoxChange:
    return BoxChange(Change.REMOVED, LabelledBox(shown.box, shown.species), None, shown.detection_id)


def _label(changes: tuple[BoxChange, ...]) -> ImageLabel:
    boxes = tuple(changed.after for changed in changes if changed.after is not None)
    largest = ImageLabel(NO_FISH, boxes).largest
    assert largest is not None
    return ImageLabel(largest.species, boxes)


def _same_place(first: tuple[Point, ...], second: tuple[Point, ...]) -> bool:
    if len(first) == len(second) == 2:
        # A rectangle's corners may come in any order.
        first, second = _corners(first), _corners(second)
    return len(first) == len(second) and all(
        abs(ax - bx) <= SAME_PLACE_PX and abs(ay - by) <= SAME_PLACE_PX
        for (ax, ay), (bx, by) in zip(first, second, strict=True)
    )


def _corners(points: tuple[Point, ...]) -> tuple[Point, ...]:
    (ax, ay), (bx, by) = points
    return ((min(ax, bx), min(ay, by)), (max(ax, bx), max(ay, by)))


def _distance_px(first: Box, second: Box) -> float:
    return max(abs(a - b) for a, b in zip(first.xyxy, second.xyxy, strict=True))
