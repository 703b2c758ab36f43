"""What a row of a YOLO text file means: a box, a polygon, a pose; what may be two of these is refused.

    class x y width height               a box: centre and size
    class x y width height confidence    a box that a model found
    class x1 y1 x2 y2 x3 y3 ...          a polygon, or a turned rectangle by its corners
    class x y width height px py ...     a pose, where the data set says so (`kpt_shape`)
    class x y width height conf track    a track, which is refused: a tracker says it, and it looks like a polygon
All are shares of the image's sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotator.label_formats.records import Point, RawBox, as_number, as_whole, extent
from annotator.label_formats.yolo_names import KeyPoints

# Tools round to six digits, and boxes may reach over the frame by that much.
_SLACK = 0.005
_LARGEST_CLASS = 1_000_000


@dataclass(frozen=True)
class Row:
    """A row's class and numbers, as written."""

    class_number: int
    values: tuple[float, ...]


def read_row(line: str) -> Row:
    """Return a row's numbers.

    Raises:
        ValueError: it is no row of numbers that begins with a class.
    """
    first, *rest = line.split()
    class_number = as_whole(first)
    values = [value for value in map(as_number, rest) if value is not None]
    if class_number is None or len(values) < len(rest) or not rest or not 0 <= class_number <= _LARGEST_CLASS:
        raise ValueError(f"found {line.strip()[:60]!r}, wanted `class x y width height`")
    return Row(class_number, tuple(values))


def is_surely_polygon(row: Row) -> bool:
    """Return whether a row is a polygon and cannot be a pose or a track: one such row tells what the data set holds."""
    return _fits_polygon(row.values) and not _fits_track(row.values) and not _fits_pose(row.values)


def box_of_row(
    row: Row, names: Mapping[int, str], key_points: KeyPoints | None, *, has_polygons: bool
) -> tuple[RawBox, str | None]:
    """Return a row's box, and a note where something of it was left aside.

    has_polygons: other rows of the data set are surely polygons.

    Raises:
        ValueError: its class has no name, or its numbers have no meaning, or two.
    """
    species, values = names.get(row.class_number), row.values
    if species is None:
        raise ValueError(f"class {row.class_number} has no name (known: 0 to {max(names, default=-1)})")
    if len(values) == 4:
        return RawBox(species, _box(values)), None
    if len(values) == 5:
        if not (_fits_box(values) and 0 <= values[4] <= 1):  # an angle, or a confidence that stands first
            shown = " ".join(f"{value:.6g}" for value in values)
            raise ValueError(f"the numbers {shown} are no x y width height within the image and a confidence of 0 to 1")
        return RawBox(species, _box(values)), "its confidence is left aside"
    if key_points is not None:
        return _pose(species, values, key_points), None
    if not _fits_polygon(values):
        raise ValueError(f"found {len(values)} numbers after the class that are no box and no polygon")
    if not has_polygons and not is_surely_polygon(row):
        what = "a track" if _fits_track(values) else "a pose"
        raise ValueError(
            f"the {len(values)} numbers after the class may be a polygon or {what}; wanted `kpt_shape` in data.yaml "
            "for poses, x y width height for boxes"
        )
    return RawBox(species, extent(_pairs(values))), None


def _box(values: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = values[:4]
    if not all(-_SLACK <= value <= 1 + _SLACK for value in (x, y, width, height)):
        shown = " ".join(f"{value:.6g}" for value in values[:4])
        raise ValueError(f"x y width height are {shown}; wanted shares of the image, 0 to 1")
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _pose(species: str, values: Sequence[float], key_points: KeyPoints) -> RawBox:
    wanted = 4 + len(key_points.ends) * key_points.values
    if len(values) != wanted:
        raise ValueError(
            f"found {len(values)} numbers after the class, wanted {wanted}: x y width height and "
            f"{len(key_points.ends)} points of {key_points.values} (`kpt_shape`)"
        )
    ends: list[tuple[str, Point]] = []
    for number, end in enumerate(key_points.ends):
        x, y, *seen = values[4 + number * key_points.values : 4 + (number + 1) * key_points.values]
        if end and (seen[0] > 0 if seen else (x, y) != (0.0, 0.0)):  # 0 says "not labelled"
            ends.append((end, (x, y)))
    return RawBox(species, _box(values), tuple(ends))


def _fits_polygon(values: Sequence[float]) -> bool:
    return len(values) >= 6 and len(values) % 2 == 0 and all(-_SLACK <= value <= 1 + _SLACK for value in values)


def _fits_box(values: Sequence[float]) -> bool:
    x, y, width, height = values[:4]
    return (
        min(width, height) > 0
        and min(x - width / 2, y - height / 2) >= -_SLACK
        and max(x + width / 2, y + height / 2) <= 1 + _SLACK
    )


def _fits_track(values: Sequence[float]) -> bool:
    return len(values) == 6 and _fits_box(values) and 0 <= values[4] <= 1 and values[5] >= 0 and values[5].is_integer()


def _fits_pose(values: Sequence[float]) -> bool:
    """Whether the first four are a box within the image, and what follows are points within that box."""
    if len(values) < 6 or not _fits_box(values) or _is_turned_rectangle(values):
        return False
    x, y, width, height = values[:4]
    for each in (2, 3):
        points = [values[start : start + each] for start in range(4, len(values), each)]
        if all(
            len(point) == each
            and abs(point[0] - x) <= width / 2 + _SLACK
            and abs(point[1] - y) <= height / 2 + _SLACK
            and (each == 2 or point[2] in (0, 1, 2))
            for point in points
        ):
            return True
    return False


def _is_turned_rectangle(values: Sequence[float]) -> bool:
    """Whether four corners are a parallelogram, as every turned rectangle is, whatever the image's shape."""
    if len(values) != 8:
        return False
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = _pairs(values)
    return abs(ax + cx - bx - dx) <= 2 * _SLACK and abs(ay + cy - by - dy) <= 2 * _SLACK


def _pairs(values: Sequence[float]) -> list[Point]:
    return list(zip(values[0::2], values[1::2], strict=True))
