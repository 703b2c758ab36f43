"""Gives the boxes of a centre heat map their species, their chances, and their place in the original image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from db.domain.box_confidence import BoxConfidence
from db.domain.boxes import Box, clip_box
from db.domain.predictions import Detection, Head
from db.domain.species import NO_FISH, LabelSet
from worker.vision.centre_boxes import CentreBox
from worker.vision.letterbox import Letterbox

Floats = npt.NDArray[np.float64]


def centre_detections(
    found: Sequence[CentreBox],
    heatmap: npt.ArrayLike,
    *,
    letterbox: Letterbox,
    label_set: LabelSet,
    confidence: BoxConfidence,
) -> list[Detection]:
    """Return the fish that are worth keeping, surest first.

    heatmap: (h, w, S) species probabilities of the cells. A box's species is the one that the cells inside it show
    most, "no fish" left aside: that a fish is there is the box's own confidence.
    """
    grid, no_fish = np.asarray(heatmap, dtype=np.float64), label_set.index(NO_FISH)
    kept = []
    for one in found:
        chance, box = confidence.of(one.score), _in_original(one, letterbox)
        if chance >= confidence.at_least and box is not None:
            species = label_set.names[species_inside(one.box, grid, input_hw=letterbox.input_hw, no_fish=no_fish)]
            kept.append(Detection(box, species, chance, Head.HEATMAP))
    return kept


def species_inside(
    box: tuple[float, float, float, float], grid: Floats, *, input_hw: tuple[int, int], no_fish: int
) -> int:
    """Return the place of the species that the cells in a box show most. box: input pixels; at least one cell counts.

    >>> species_inside((0, 0, 16, 16), np.array([[[0.1, 0.3, 0.6], [0.9, 0.0, 0.1]]]), input_hw=(16, 32), no_fish=2)
    1
    """
    rows = _cells(box[1], box[3], grid.shape[0], input_hw[0])
    columns = _cells(box[0], box[2], grid.shape[1], input_hw[1])
    shown = grid[rows, columns].reshape(-1, grid.shape[2]).mean(axis=0)
    shown[no_fish] = -1.0
    return int(shown.argmax())


def _cells(low_px: float, high_px: float, cells: int, length_px: int) -> slice:
    first = int(np.clip(np.floor(low_px * cells / length_px), 0, cells - 1))
    last = int(np.clip(np.ceil(high_px * cells / length_px), first + 1, cells))
    return slice(first, last)


def _in_original(one: CentreBox, letterbox: Letterbox) -> Box | None:
    x_min, y_min, x_max, y_max = letterbox.to_original([one.box])[0].tolist()
    if x_max <= x_min or y_max <= y_min:
        return None
    return clip_box(Box(x_min, y_min, x_max, y_max), width_px=letterbox.width_px, height_px=letterbox.height_px)
