"""What a person was shown of one image: the shapes as written, so that an answer can be compared with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from annotator.labelme.json_files import LabelmeShape, Point
from db.domain.boxes import Box

# The one key of our own, in the file and in every shape; labelme keeps keys it does not know.
HIDDEN_KEY = "taffrail"


class ShapeRole(StrEnum):
    """What a shown shape is: a box of the answer, or an outline, which is no fish until it is moved or relabelled."""

    ANSWER = "answer"
    OUTLINE = "outline"


# Exports of before there was one answer showed both heads' boxes: the heat map's were the answer where there were any.
_FORMER_BOX_HEAD, _FORMER_HEATMAP, _FORMER_OUTLINE = "box_species", "heatmap", "region"


@dataclass(frozen=True)
class ExportedShape:
    """One shape as shown. shape_id: unique within the image. points_px: two corners, or an outline's."""

    shape_id: str
    role: ShapeRole
    species: str
    points_px: tuple[Point, ...]
    detection_id: int | None = None

    @property
    def box(self) -> Box:
        """The box around the points."""
        return box_around(self.points_px)


@dataclass(frozen=True)
class ExportedState:
    """One image as shown; sizes are the upright image's, pixels."""

    width_px: int
    height_px: int
    shapes: tuple[ExportedShape, ...]


def box_around(points_px: tuple[Point, ...]) -> Box:
    """Return the box around some points.

    Raises:
        ValueError: the points span no area.

    >>> box_around(((4, 6), (1, 2))).xyxy
    (1, 2, 4, 6)
    """
    xs, ys = [x for x, _ in points_px], [y for _, y in points_px]
    return Box(min(xs), min(ys), max(xs), max(ys))


def shape_id_of(shape: LabelmeShape) -> str | None:
    """Return the id that we hid in a shape, None where there is none."""
    hidden = shape.extra.get(HIDDEN_KEY)
    found = hidden.get("shape") if isinstance(hidden, dict) else None
    return found if isinstance(found, str) else None


def shape_to_json(shape: ExportedShape) -> dict[str, object]:
    """Return a shown shape as the store keeps it."""
    return {
        "id": shape.shape_id,
        "role": shape.role.value,
        "species": shape.species,
        "points": [list(point) for point in shape.points_px],
        "detection": shape.detection_id,
    }


def state_from_json(stored: Sequence[Mapping[str, object]], *, width_px: int, height_px: int) -> ExportedState:
    """Return an image as shown, from shapes as `shape_to_json` made them."""
    roles = {str(shape["role"]) for shape in stored}
    return ExportedState(width_px, height_px, tuple(_shape_from_json(shape, roles) for shape in stored))


def _shape_from_json(stored: Mapping[str, object], roles: Set[str]) -> ExportedShape:
    points, detection = stored["points"], stored["detection"]
    assert isinstance(points, list)
    return ExportedShape(
        shape_id=str(stored["id"]),
        role=_role(str(stored["role"]), roles),
        species=str(stored["species"]),
        points_px=tuple((float(x), float(y)) for x, y in points),
        detection_id=detection if isinstance(detection, int) else None,
    )


def _role(written: str, roles: Set[str]) -> ShapeRole:
    if written == _FORMER_HEATMAP or (written == _FORMER_BOX_HEAD and _FORMER_HEATMAP not in roles):
        return ShapeRole.ANSWER
    return ShapeRole.OUTLINE if written in (_FORMER_BOX_HEAD, _FORMER_OUTLINE) else ShapeRole(written)
