"""The box of a COCO annotation: `bbox` where it is written, else the extent of its segmentation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from annotator.label_formats.records import Point, as_number, as_whole, extent, shown

Xyxy = tuple[float, float, float, float]
_MAX_RUNS = 10_000_000


def box_of(annotation: Mapping[str, object]) -> Xyxy:
    """Return the box that an annotation means, xyxy pixels; a rotated rectangle gives the box around it.

    Raises:
        ValueError: it has neither a box nor a segmentation that can be read.
    """
    written = annotation.get("bbox")
    if written is None or written == []:
        return _around_segmentation(annotation.get("segmentation"))
    values = [as_number(value) for value in written] if isinstance(written, list) else []
    numbers = [value for value in values if value is not None]
    if len(numbers) != 4 or len(values) != 4:
        text = str(written)[:60]
        raise ValueError(f"'bbox' is {text!r}, wanted [x, y, width, height]")
    x, y, width, height = numbers
    return _turned((x, y, x + width, y + height), annotation.get("attributes"))


def _turned(box: Xyxy, attributes: object) -> Xyxy:
    """Return the extent of a rectangle that CVAT turned about its centre: `attributes.rotation`, degrees."""
    degrees = as_number(attributes.get("rotation")) if isinstance(attributes, dict) else None
    if not degrees:
        return box
    if not math.isfinite(degrees):
        raise ValueError(f"its rotation is {degrees}, wanted degrees")
    x0, y0, x1, y1 = box
    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    half_x, half_y = abs(x1 - x0) / 2, abs(y1 - y0) / 2
    reach_x, reach_y = half_x * cos + half_y * sin, half_x * sin + half_y * cos
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return (x - reach_x, y - reach_y, x + reach_x, y + reach_y)


def _around_segmentation(written: object) -> Xyxy:
    if isinstance(written, dict):
        return _around_runs(written)
    if not isinstance(written, list) or not written:
        raise ValueError(f"it has no 'bbox', and its 'segmentation' is {shown(written)}")
    polygons = written if all(isinstance(part, list) for part in written) else [written]
    return extent([point for polygon in polygons for point in _points(polygon)])


def _points(polygon: Sequence[object]) -> list[Point]:
    numbers = [value for value in map(as_number, polygon) if value is not None]
    if len(numbers) != len(polygon) or len(numbers) < 6 or len(numbers) % 2:
        raise ValueError(
            f"'segmentation' holds a polygon of {len(polygon)} values, wanted x, y of three points or more"
        )
    return list(zip(numbers[0::2], numbers[1::2], strict=True))


def _around_runs(mask: Mapping[str, object]) -> Xyxy:
    """Return the extent of a run-length mask; runs go down the columns, background first.

    >>> _around_runs({"size": [4, 5], "counts": [5, 2, 2, 2, 9]})
    (1.0, 1.0, 3.0, 3.0)
    """
    size, counts = mask.get("size"), mask.get("counts")
    sides = [as_whole(side) for side in size] if isinstance(size, list) and len(size) == 2 else []
    rows = sides[0] if sides and sides[0] and sides[0] > 0 else None
    if rows is None or not isinstance(counts, list | str) or not 0 < len(counts) <= _MAX_RUNS:
        raise ValueError("its 'segmentation' is no run-length mask; wanted 'size' and 'counts'")
    corners: list[Point] = []
    start = 0
    for number, run in enumerate(_packed_runs(counts) if isinstance(counts, str) else _plain_runs(counts)):
        if number % 2 and run:
            corners += _corners(start, start + run - 1, rows)
        start += run
    if not corners:
        raise ValueError("its 'segmentation' is an empty mask")
    return extent(corners)


def _corners(first: int, last: int, rows: int) -> tuple[Point, Point]:
    whole_column = first // rows != last // rows
    top, bottom = (0, rows - 1) if whole_column else (first % rows, last % rows)
    return (float(first // rows), float(top)), (float(last // rows + 1), float(bottom + 1))


def _plain_runs(counts: Sequence[object]) -> Iterator[int]:
    for value in counts:
        run = as_whole(value)
        if run is None or run < 0:
            raise ValueError(f"its 'segmentation' has a run of {shown(value)}")
        yield run


def _packed_runs(text: str) -> Iterator[int]:
    """Yield the runs of a packed mask: groups of five bits from character 48 on, each run but the first three a
    difference to the one two before.

    Source: COCO API, common/maskApi.c, rleFrString.

    >>> list(_packed_runs("52203"))
    [5, 2, 2, 2, 5]
    """
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise ValueError("its 'segmentation' has packed runs that cannot be read")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        if runs[-1] < 0:
            raise ValueError("its 'segmentation' has packed runs that cannot be read")
        yield runs[-1]
        value, shift = 0, 0
