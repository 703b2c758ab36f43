"""Shows a crop as another camera might: turned, mirrored, boxed a little wrong, in other light. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from db.domain.boxes import Box
from worker.training.features.augment import AugmentParameters, change_light
from worker.vision.letterbox import BORDER_GREY, letterbox_image

Pixels = npt.NDArray[np.uint8]

# A canvas holds this much around a box, as a share of its longer side, so that a badly placed box can be played.
CONTEXT_MARGIN = 0.4
_GREY_SHARE = 0.15  # of the views lose their colours: a camera's colours are the first thing to mislead
_PLAIN_BOX_SHARE = 0.25  # of the views keep the box as it is labelled


@dataclass(frozen=True)
class CropView:
    """One way to show a crop; the default is as it is served.

    shift: of the box by shares of its sides, x and y. stretch: of its sides. turn_deg: counter-clockwise. gains: of
    red, green and blue. contrast: around the crop's own mean. grey: without colour.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    stretch: tuple[float, float] = (1.0, 1.0)
    turn_deg: float = 0.0
    mirrored: bool = False
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    grey: bool = False


PLAIN = CropView()


def draw_view(rng: np.random.Generator) -> CropView:
    """Return a view drawn at random: all turns, both sides, boxes as a detector misplaces them, colour casts."""
    moved = rng.random() >= _PLAIN_BOX_SHARE
    return CropView(
        shift=_pair(rng.normal(0.0, 0.08, 2).clip(-0.2, 0.2)) if moved else PLAIN.shift,
        stretch=_pair(np.exp(rng.normal(0.0, 0.15, 2)).clip(0.7, 1.4)) if moved else PLAIN.stretch,
        turn_deg=float(rng.uniform(0.0, 360.0)),
        mirrored=bool(rng.random() < 0.5),
        gains=_triple(np.exp(rng.normal(0.0, 0.2) + rng.normal(0.0, 0.15, 3))),
        contrast=float(rng.uniform(0.6, 1.4)),
        grey=bool(rng.random() < _GREY_SHARE),
    )


def canvas_side(crop_px: int, *, margin: float) -> int:
    """Return the side of a canvas, pixels, in which a box with its margin is crop_px long.

    >>> canvas_side(144, margin=0.1)
    216
    """
    return round(crop_px * (1.0 + 2.0 * CONTEXT_MARGIN) / (1.0 + 2.0 * margin))


def cut_canvas(pixels: Pixels, box: Box, *, side_px: int) -> Pixels:
    """Return the box in the middle of a square with its surroundings, (side_px, side_px, 3); grey beyond the image.

    pixels: (H, W, 3), the whole original. box: in its pixels.
    """
    scale, left, top = _canvas_frame(box, side_px)
    span = side_px / scale
    x_min, x_max = _inside(left, left + span, pixels.shape[1])
    y_min, y_max = _inside(top, top + span, pixels.shape[0])
    place = np.array([(x_min - left), (y_min - top), (x_max - left), (y_max - top)]) * scale
    x, y, right, bottom = np.clip(np.round(place), 0, side_px).astype(int)
    canvas = np.full((side_px, side_px, 3), BORDER_GREY, dtype=np.uint8)
    if right <= x or bottom <= y:
        return canvas
    part = Image.fromarray(np.ascontiguousarray(pixels[y_min:y_max, x_min:x_max]))
    canvas[y:bottom, x:right] = np.asarray(
        part.resize((int(right - x), int(bottom - y)), Image.Resampling.BILINEAR, reducing_gap=2.0)
    )
    return canvas


def show_crop(
    canvas: Pixels,
    box: Box,
    view: CropView,
    *,
    image_px: tuple[int, int],
    margin: float,
    crop_px: int,
) -> Pixels:
    """Return the crop of a canvas as a view shows it, letterboxed as in serving; (crop_px, crop_px, 3).

    canvas: as `cut_canvas` made it of this box. image_px: width and height of the image that the box is in.
    """
    rows = slice(*_span(box, view, axis=1, limit=image_px[1], margin=margin, side_px=canvas.shape[0]))
    columns = slice(*_span(box, view, axis=0, limit=image_px[0], margin=margin, side_px=canvas.shape[0]))
    light = AugmentParameters(gain=view.gains, contrast=view.contrast, grey=float(view.grey))
    shown = Image.fromarray(change_light(canvas[rows, columns], light))
    if view.mirrored:
        shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if view.turn_deg:
        shown = shown.rotate(
            view.turn_deg, Image.Resampling.BILINEAR, expand=True, fillcolor=(BORDER_GREY, BORDER_GREY, BORDER_GREY)
        )
    return letterbox_image(np.asarray(shown), into_hw=(crop_px, crop_px))[0]


def _canvas_frame(box: Box, side_px: int) -> tuple[float, float, float]:
    """Canvas pixels an image pixel, and where the canvas begins in the image."""
    span = max(box.x_max - box.x_min, box.y_max - box.y_min) * (1.0 + 2.0 * CONTEXT_MARGIN)
    return side_px / span, (box.x_min + box.x_max - span) / 2.0, (box.y_min + box.y_max - span) / 2.0


def _span(box: Box, view: CropView, *, axis: int, limit: int, margin: float, side_px: int) -> tuple[int, int]:
    """The canvas pixels of one axis that the moved box and its margin cover, inside the image, at least one."""
    scale, *begin = _canvas_frame(box, side_px)
    sides = (box.x_max - box.x_min, box.y_max - box.y_min)
    stretched = [side * factor for side, factor in zip(sides, view.stretch, strict=True)]
    middle = (box.xyxy[axis] + box.xyxy[axis + 2]) / 2.0 + view.shift[axis] * sides[axis]
    half = stretched[axis] / 2.0 + margin * max(stretched)
    low, high = max(middle - half, 0.0, begin[axis]), min(middle + half, float(limit))
    first = int(np.clip(math.floor((low - begin[axis]) * scale), 0, side_px - 1))
    return first, int(np.clip(math.ceil((high - begin[axis]) * scale), first + 1, side_px))


def _inside(low: float, high: float, limit: int) -> tuple[int, int]:
    first = int(np.clip(math.floor(low), 0, limit - 1))
    return first, int(np.clip(math.ceil(high), first + 1, limit))


def _pair(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
