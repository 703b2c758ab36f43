"""Cuts crops out of images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from db.domain.boxes import Box
from worker.vision.letterbox import letterbox_image

Pixels = npt.NDArray[np.uint8]

# The fins and the deck around a fish tell it apart; a tenth of its longer side keeps them.
MARGIN = 0.1
_PIXEL = np.dtype("V3")


def crop_box(pixels: Pixels, box: Box, *, width_px: int, height_px: int, margin: float = MARGIN) -> Pixels:
    """Return the part of an image inside a box and a margin around it, at least one pixel.

    pixels: (H, W, 3), perhaps reduced; box in the original's pixels, width_px x height_px. margin: share of the box's
    longer side.
    """
    extra = margin * max(box.x_max - box.x_min, box.y_max - box.y_min)
    scale_x, scale_y = pixels.shape[1] / width_px, pixels.shape[0] / height_px
    left, right = _span((box.x_min - extra) * scale_x, (box.x_max + extra) * scale_x, pixels.shape[1])
    top, bottom = _span((box.y_min - extra) * scale_y, (box.y_max + extra) * scale_y, pixels.shape[0])
    return pixels[top:bottom, left:right]


def letterbox_crop(
    pixels: Pixels, box: Box, *, width_px: int, height_px: int, side_px: int, margin: float = MARGIN
) -> Pixels:
    """Return a crop as the second stage wants it: letterboxed into a grey square, (side_px, side_px, 3).

    The box's own shape is kept and what lies beside it stays out: the deck tells the camera, not the fish.
    pixels, box, margin: as in `crop_box`; a box outside the image gives the pixel at its edge.
    """
    crop = crop_box(pixels, box, width_px=width_px, height_px=height_px, margin=margin)
    return letterbox_image(crop, into_hw=(side_px, side_px))[0]


def quarter_turns(crops: Pixels, count: int) -> Pixels:
    """Return every crop turned by 0, 90, ... degrees; (N, P, P, 3) -> (N * count, P, P, 3), a crop's turns together."""
    side = crops.shape[1]
    whole = np.ascontiguousarray(crops).view(_PIXEL)[..., 0]  # pixels as one value each: a third of the moves
    turned = np.empty((len(crops), count, side, side), dtype=_PIXEL)
    for number in range(count):
        turned[:, number] = np.rot90(whole, k=number, axes=(1, 2))
    return turned.view(np.uint8).reshape(-1, *crops.shape[1:])


def _span(low: float, high: float, length: int) -> tuple[int, int]:
    first = min(max(0, int(np.floor(low))), length - 1)
    return first, max(first + 1, min(length, int(np.ceil(high))))
