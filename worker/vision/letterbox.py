"""Fits an image of any shape into the network's input, and takes boxes there and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

BORDER_GREY = 127  # The zero of every trunk's preprocessing, near enough: a border that says nothing.


@dataclass(frozen=True)
class Letterbox:
    """Where the image lies in the input: scale by axis, then shift, pixels.

    The axes' scales differ by rounding only: the image fills a whole number of input pixels.
    """

    width_px: int
    height_px: int
    input_hw: tuple[int, int]
    fitted_hw: tuple[int, int]
    pad_x: int
    pad_y: int

    @property
    def _scale(self) -> Floats:
        x, y = self.fitted_hw[1] / self.width_px, self.fitted_hw[0] / self.height_px
        return np.array([x, y, x, y])

    @property
    def _shift(self) -> Floats:
        return np.array([self.pad_x, self.pad_y, self.pad_x, self.pad_y], dtype=np.float64)

    def to_input(self, boxes: npt.ArrayLike) -> Floats:
        """Return boxes in input pixels. boxes: (N, 4) xyxy, original pixels. Returns (N, 4)."""
        moved: Floats = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * self._scale + self._shift
        return moved

    def to_original(self, boxes: npt.ArrayLike) -> Floats:
        """Return boxes in original pixels. boxes: (N, 4) xyxy, input pixels. Returns (N, 4), not clipped."""
        moved: Floats = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) - self._shift) / self._scale
        return moved

    def grid_frame(self, grid_hw: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return the part of a heat-map grid that shows the image: x_min, y_min, x_max, y_max in cells."""
        rows, columns = grid_hw[0] / self.input_hw[0], grid_hw[1] / self.input_hw[1]
        right, bottom = self.pad_x + self.fitted_hw[1], self.pad_y + self.fitted_hw[0]
        return (self.pad_x * columns, self.pad_y * rows, right * columns, bottom * rows)

    def grid_to_original(self, boxes: npt.ArrayLike, *, grid_hw: tuple[int, int]) -> Floats:
        """Return boxes in original pixels. boxes: (N, 4) xyxy, heat-map cells. Returns (N, 4), not clipped."""
        x, y = self.input_hw[1] / grid_hw[1], self.input_hw[0] / grid_hw[0]
        return self.to_original(np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * np.array([x, y, x, y]))


def fit_letterbox(*, width_px: int, height_px: int, into_hw: tuple[int, int]) -> Letterbox:
    """Return how an image fits an input of (rows, columns), as large as possible, in its middle.

    >>> fit_letterbox(width_px=1280, height_px=720, into_hw=(360, 640)).to_input([[0, 0, 1280, 720]]).tolist()
    [[0.0, 0.0, 640.0, 360.0]]
    """
    scale = min(into_hw[0] / height_px, into_hw[1] / width_px)
    fitted_hw = (_fitted(height_px * scale, into_hw[0]), _fitted(width_px * scale, into_hw[1]))
    return Letterbox(
        width_px=width_px,
        height_px=height_px,
        input_hw=into_hw,
        fitted_hw=fitted_hw,
        pad_x=(into_hw[1] - fitted_hw[1]) // 2,
        pad_y=(into_hw[0] - fitted_hw[0]) // 2,
    )


def letterbox_image(pixels: Pixels, *, into_hw: tuple[int, int]) -> tuple[Pixels, Letterbox]:
    """Return the image fitted into the input, and how. pixels: (H, W, 3) RGB. Returns (h, w, 3) RGB."""
    letterbox = fit_letterbox(width_px=pixels.shape[1], height_px=pixels.shape[0], into_hw=into_hw)
    rows, columns = letterbox.fitted_hw
    fitted = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BILINEAR, reducing_gap=2.0)
    canvas = np.full((*into_hw, 3), BORDER_GREY, dtype=np.uint8)
    canvas[letterbox.pad_y : letterbox.pad_y + rows, letterbox.pad_x : letterbox.pad_x + columns] = np.asarray(fitted)
    return canvas, letterbox


def _fitted(length: float, limit: int) -> int:
    return max(1, min(limit, round(length)))
