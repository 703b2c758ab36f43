"""Draws windows of labelled images: another size, place and shape of what a camera saw, boxes moved exactly with it.

A window has the network's base input size. Its zoom brings the camera's typical fish to the target size and varies it,
so that no camera teaches what its own distance makes of a fish. Coordinates are continuous pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from db.domain.fish_size import wanted_zoom
from worker.vision.letterbox import BORDER_GREY, fit_letterbox

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

SMALLEST_SIZE, LARGEST_SIZE = 0.7, 1.4  # against the target size
_MAX_ASPECT = 0.15  # of the logarithm of width / height
_MAX_OUT = 0.1  # of the window's sides: so far an image may lie beyond its edge, or leave border
_TOWARDS_FISH = 0.85  # of enlarged images; the others show the deck
_FISH_PLACE = (0.1, 0.9)  # of the window's sides, where the fish's centre may come
_MIN_LEFT = 0.4  # a fish of which less is left in the window is not one to learn from


@dataclass(frozen=True)
class Window:
    """Where an image lies in a window: x' = scale x + shift, by axis; then perhaps mirrored.

    size_hw: of the window; scale, shift: (x, y), window pixels of original ones.
    """

    size_hw: tuple[int, int]
    scale: tuple[float, float]
    shift: tuple[float, float]
    mirrored: bool

    def boxes(self, boxes: npt.ArrayLike) -> Floats:
        """Return boxes in window pixels, not cut. boxes: (N, 4) xyxy, original pixels."""
        moved = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * np.tile(self.scale, 2) + np.tile(self.shift, 2)
        if self.mirrored:
            moved[:, [0, 2]] = self.size_hw[1] - moved[:, [2, 0]]
        return np.asarray(moved)


@dataclass(frozen=True)
class SeenBoxes:
    """What a window shows of an image's boxes. boxes: (M, 4), cut at the window. places: (M,) in the image's list."""

    boxes: Floats
    places: npt.NDArray[np.intp]


def draw_window(
    rng: np.random.Generator,
    boxes: npt.ArrayLike,
    *,
    width_px: int,
    height_px: int,
    fish_px: float | None,
    size_hw: tuple[int, int],
) -> Window:
    """Return a window drawn at random. boxes: (N, 4) what it may look at, original pixels.

    fish_px: the camera's, in the nominal frame.
    """
    fit = fit_letterbox(width_px=width_px, height_px=height_px, into_hw=size_hw)
    whole = fit.fitted_hw[1] / width_px
    zoom = whole * wanted_zoom(fish_px) * float(np.exp(rng.uniform(*np.log([SMALLEST_SIZE, LARGEST_SIZE]))))
    half_aspect = float(np.exp(rng.uniform(-_MAX_ASPECT, _MAX_ASPECT) / 2.0))
    scale = (zoom * half_aspect, zoom / half_aspect)
    fish = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    towards = fish[rng.integers(len(fish))] if len(fish) and rng.random() < _TOWARDS_FISH else None
    shift = []
    for axis, (length, room) in enumerate(((width_px, size_hw[1]), (height_px, size_hw[0]))):
        centre = None if towards is None else float(towards[axis] + towards[axis + 2]) / 2.0 * scale[axis]
        shift.append(_draw_shift(rng, length * scale[axis], room, centre))
    return Window(size_hw, scale, (shift[0], shift[1]), bool(rng.random() < 0.5))


def whole_window(*, width_px: int, height_px: int, size_hw: tuple[int, int]) -> Window:
    """Return the window that shows the whole image as serving does, letterboxed and not mirrored."""
    fit = fit_letterbox(width_px=width_px, height_px=height_px, into_hw=size_hw)
    scale = (fit.fitted_hw[1] / width_px, fit.fitted_hw[0] / height_px)
    return Window(size_hw, scale, (float(fit.pad_x), float(fit.pad_y)), mirrored=False)


def show(pixels: Pixels, window: Window, *, width_px: int, height_px: int) -> Pixels:
    """Return the image as a window shows it, (h, w, 3); what lies beside it is grey.

    pixels: (H, W, 3), perhaps reduced, of an original of width_px x height_px.
    """
    columns = _span(window.scale[0], window.shift[0], width_px, window.size_hw[1])
    rows = _span(window.scale[1], window.shift[1], height_px, window.size_hw[0])
    canvas = np.full((*window.size_hw, 3), BORDER_GREY, dtype=np.uint8)
    if columns.size and rows.size:
        part = _part(pixels, columns, rows, width_px=width_px, height_px=height_px)
        canvas[rows.first : rows.last, columns.first : columns.last] = part
    return np.ascontiguousarray(canvas[:, ::-1] if window.mirrored else canvas)


def seen_boxes(boxes: npt.ArrayLike, window: Window) -> SeenBoxes:
    """Return which fish a window shows at least two fifths of, cut at its edge."""
    moved = window.boxes(boxes)
    inside = np.clip(moved, 0.0, np.array([window.size_hw[1], window.size_hw[0]] * 2, dtype=np.float64))
    left = _areas(inside) / np.maximum(_areas(moved), 1e-9)
    kept = left >= _MIN_LEFT
    return SeenBoxes(inside[kept], np.flatnonzero(kept))


@dataclass(frozen=True)
class _Span:
    """Window pixels that show the image along an axis, and the original pixels that they show."""

    first: int
    last: int
    low: float
    high: float

    @property
    def size(self) -> int:
        return max(0, self.last - self.first)


def _span(scale: float, shift: float, length_px: int, room_px: int) -> _Span:
    first = int(np.clip(round(shift), 0, room_px))
    last = int(np.clip(round(shift + length_px * scale), 0, room_px))
    low, high = (first - shift) / scale, (last - shift) / scale
    return _Span(first, last, float(np.clip(low, 0.0, length_px)), float(np.clip(high, 0.0, length_px)))


def _part(pixels: Pixels, columns: _Span, rows: _Span, *, width_px: int, height_px: int) -> Pixels:
    across, down = pixels.shape[1] / width_px, pixels.shape[0] / height_px
    box = (columns.low * across, rows.low * down, columns.high * across, rows.high * down)
    image = Image.fromarray(pixels).resize(
        (columns.size, rows.size), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0
    )
    return np.asarray(image, dtype=np.uint8)


def _draw_shift(rng: np.random.Generator, length_px: float, room_px: int, fish_px: float | None) -> float:
    """Return where an image of this length begins in the room. fish_px: from the image's start, where one is sought."""
    out, free = _MAX_OUT * room_px, room_px - length_px
    if free >= 0:
        return float(rng.uniform(-out, free + out))
    if fish_px is None:
        return float(rng.uniform(free, 0.0))
    return float(np.clip(rng.uniform(*_FISH_PLACE) * room_px - fish_px, free - out, out))


def _areas(boxes: Floats) -> Floats:
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float64)
