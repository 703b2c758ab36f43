"""Hides the fish of an image, so that what is left can be asked what it tells of the species. numpy only.

Every labelled box, and a margin around it, is filled with grey. An image without fish would give itself away by having
no grey, so it is given the boxes of another image, drawn by the images' hashes.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from worker.training.data.samples import TrainingSample
from worker.training.data.targets import boxes_in_input, sample_letterbox
from worker.vision.letterbox import BORDER_GREY

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

VERSION = 1  # raise when the same boxes hide other pixels
_MARGIN = 0.2  # of a box's sides, at each: shadows, and fins that the box cut off
_REACH_CELLS = 2.0  # a cell sees beyond its own pixels; so far from a hole it sees neither fish nor grey


def holes_of(samples: Sequence[TrainingSample], *, input_hw: tuple[int, int]) -> dict[str, Floats]:
    """Return what is hidden of each image, by content: (M, 4) xyxy, input pixels, whole.

    An image whose fish are known by species only is not among them: its fish cannot be hidden.
    """
    boxed = {sample.sha256: _wide_boxes(sample, input_hw) for sample in samples if sample.label.boxes}
    lenders = sorted(boxed)
    found = dict(boxed)
    for sample in samples:
        if sample.label.is_empty and lenders:
            found[sample.sha256] = boxed[lenders[bisect(lenders, sample.sha256) % len(lenders)]]
    return found


def fill_holes(pixels: Pixels, holes: Floats) -> Pixels:
    """Return the image with grey in its holes. pixels: (H, W, 3). holes: (M, 4) xyxy, whole pixels."""
    filled = pixels.copy()
    for x_min, y_min, x_max, y_max in holes.astype(int):
        filled[max(y_min, 0) : y_max, max(x_min, 0) : x_max] = BORDER_GREY
    return filled


def holes_text(holes: Mapping[str, Floats], sha256: str) -> str:
    """Return a short text that changes with an image's holes."""
    return hashlib.sha256(holes[sha256].astype(np.int32).tobytes()).hexdigest()[:12]


def untouched_cells(
    holes: Floats, *, input_hw: tuple[int, int], grid_hw: tuple[int, int], frame: tuple[float, float, float, float]
) -> Mask:
    """Return the feature cells that show the image and lie clear of every hole, (h, w).

    frame: the cells that show the image, x_min, y_min, x_max, y_max.

    >>> untouched_cells(
    ...     np.array([[0, 0, 16, 16]]), input_hw=(16, 96), grid_hw=(1, 6), frame=(0.0, 0.0, 5.0, 1.0)
    ... ).tolist()
    [[False, False, False, True, True, False]]
    """
    y, x = np.arange(grid_hw[0]) + 0.5, np.arange(grid_hw[1]) + 0.5
    clear = ((y >= frame[1]) & (y <= frame[3]))[:, None] & ((x >= frame[0]) & (x <= frame[2]))[None, :]
    cells = holes * np.array([grid_hw[1] / input_hw[1], grid_hw[0] / input_hw[0]] * 2)
    for x_min, y_min, x_max, y_max in cells:
        down = (y > y_min - _REACH_CELLS) & (y < y_max + _REACH_CELLS)
        across = (x > x_min - _REACH_CELLS) & (x < x_max + _REACH_CELLS)
        clear &= ~(down[:, None] & across[None, :])
    return np.asarray(clear, dtype=bool)


def _wide_boxes(sample: TrainingSample, input_hw: tuple[int, int]) -> Floats:
    boxes = boxes_in_input(sample, sample_letterbox(sample, input_hw))
    margin = _MARGIN * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([np.floor(boxes[:, :2] - margin), np.ceil(boxes[:, 2:] + margin)], axis=1)
