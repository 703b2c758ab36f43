"""Boxes: xyxy, float pixels of the EXIF-upright original image. Many at a time: `box_overlaps`."""

from __future__ import annotations

import math
from dataclasses import dataclass


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


def iou(first: Box, second: Box) -> float:
    """Return the IoU of two boxes, 0..1."""
    width = min(first.x_max, second.x_max) - max(first.x_min, second.x_min)
    height = min(first.y_max, second.y_max) - max(first.y_min, second.y_min)
    shared = max(width, 0.0) * max(height, 0.0)
    union = first.area_px + second.area_px - shared
    return shared / union if union > 0.0 else 0.0
