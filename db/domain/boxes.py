"""Boxes: xyxy, float pixels of the EXIF-upright original image; (N, 4) arrays where there are many."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Box:
    """One box, checked once.

    Raises:
        ValueError: a coordinate is not finite, or the box is empty or inside out.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in self.xyxy):
            raise ValueError(f"box has a coordinate that is not a number: {self.xyxy}")
        if self.x_max <= self.x_min or self.y_max <= self.y_min:
            raise ValueError(f"box is empty or inside out: {self.xyxy}")

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """The four coordinates, pixels."""
        return (self.x_min, self.y_min, self.x_max, self.y_max)

    @property
    def area_px(self) -> float:
        """The area, square pixels."""
        return (self.x_max - self.x_min) * (self.y_max - self.y_min)


def clip_box(box: Box, *, width_px: int, height_px: int) -> Box | None:
    """Return the part of a box inside the image, or None where nothing is left.

    >>> clip_box(Box(-5, 0, 10, 10), width_px=8, height_px=8)
    Box(x_min=0.0, y_min=0.0, x_max=8.0, y_max=8.0)
    """
    x_min, x_max = max(box.x_min, 0.0), min(box.x_max, float(width_px))
    y_min, y_max = max(box.y_min, 0.0), min(box.y_max, float(height_px))
    if x_max <= x_min or y_max <= y_min:
        return None
    return Box(float(x_min), float(y_min), float(x_max), float(y_max))


def box_iou_batch(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """Return the IoU of every box of one set with every box of another.

    first: (N, 4) xyxy, pixels. second: (M, 4) xyxy, pixels. Returns (N, M), 0..1; an empty box has IoU 0.

    >>> box_iou_batch([[0, 0, 2, 2]], [[1, 0, 3, 2]]).round(3).tolist()
    [[0.333]]
    """
    a = np.asarray(first, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(second, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])  # (N, M, 2)
    shared = np.prod(np.clip(high - low, 0.0, None), axis=2)  # (N, M)
    union = _areas(a)[:, None] + _areas(b)[None, :] - shared
    ratio: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def iou(first: Box, second: Box) -> float:
    """Return the IoU of two boxes, 0..1."""
    return float(box_iou_batch([first.xyxy], [second.xyxy])[0, 0])


def _areas(boxes: FloatArray) -> FloatArray:
    sides: FloatArray = np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float64)
