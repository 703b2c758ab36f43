"""Gives the boxes of a centre heat map their species, their chances, and their place in the original image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.box_confidence import BoxConfidence
from db.domain.boxes import Box, clip_box, iou
from db.domain.predictions import Detection, Head
from db.domain.species import NO_FISH, LabelSet
from worker.vision.centre_boxes import CentreBox, find_centre_boxes
from worker.vision.letterbox import Letterbox

Floats = npt.NDArray[np.float64]

_UNSEEN = 0.01  # of a box where the centre maps show nothing: it still has a word where no other box has one


@dataclass(frozen=True, eq=False)
class CentreMaps:
    """What the heads say of one image. centres: (h, w) logits and ltrb_offsets: (h, w, 4) input pixels, of one grid.

    heatmap: (H, W, S) species probabilities of the cells of a coarser grid.
    """

    centres: npt.NDArray[Any]
    ltrb_offsets: npt.NDArray[Any]
    heatmap: npt.NDArray[Any]

    def boxes(self, letterbox: Letterbox) -> list[CentreBox]:
        """Return every box that they show, surest first, in input pixels."""
        grid_hw = (self.centres.shape[0], self.centres.shape[1])
        return find_centre_boxes(
            self.centres,
            self.ltrb_offsets,
            frame=letterbox.grid_frame(grid_hw),
            stride_px=letterbox.input_hw[0] // grid_hw[0],
        )


def centre_detections(
    maps: CentreMaps, *, letterbox: Letterbox, label_set: LabelSet, confidence: BoxConfidence
) -> list[Detection]:
    """Return the fish that are worth keeping, surest first.

    A box's species is the one that the species maps show most inside it, "no fish" left aside: that a fish is there is
    the box's own confidence.
    """
    grid, no_fish = np.asarray(maps.heatmap, dtype=np.float64), label_set.index(NO_FISH)
    kept: list[Detection] = []
    for one in maps.boxes(letterbox):
        chance, box = confidence.of(one.score), in_original(one.box, letterbox)
        if box is not None and confidence.keeps(chance, before=len(kept)):
            species = label_set.names[species_inside(one.box, grid, input_hw=letterbox.input_hw, no_fish=no_fish)]
            kept.append(Detection(box, species, chance, Head.HEATMAP))
    return kept


def chance_beside(box: Box, seen: Sequence[Detection]) -> float:
    """Return the chance that another head's box shows a fish, 0.01 to 1: by the surest fish that it shares ground with.

    Its own head says which species it would be, not that a fish is there. A fish's chance counts by how well the box
    fits it (IoU), so no box is surer than the fish's own.

    >>> chance_beside(Box(0, 0, 10, 10), [Detection(Box(0, 0, 10, 5), "ALB", 0.8, Head.HEATMAP)])
    0.4
    """
    return max([_UNSEEN, *(one.confidence * iou(box, one.box) for one in seen)])


def with_boxes(probabilities: npt.ArrayLike, chances: Sequence[float], *, no_fish: int) -> Floats:
    """Return a species distribution that also heeds how likely the boxes are fish, (S,).

    The chance of no fish is the mean of what the maps' average says and of all boxes being none; the rest stay in
    proportion. An average over an image misses small fish, and boxes are fitted to be right about just that.

    >>> with_boxes([0.2, 0.8], [0.6], no_fish=1).round(2).tolist()
    [0.4, 0.6]
    """
    said = np.asarray(probabilities, dtype=np.float64)
    empty = (said[no_fish] + float(np.prod([1.0 - chance for chance in chances]))) / 2.0
    others = np.where(np.arange(len(said)) == no_fish, 0.0, said) + 1e-9
    others[no_fish] = 0.0
    others *= (1.0 - empty) / others.sum()
    others[no_fish] = empty
    return np.asarray(others)


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


def in_original(xyxy: tuple[float, float, float, float], letterbox: Letterbox) -> Box | None:
    """Return a box of the input in the original's pixels, cut at its frame; None where nothing is left."""
    x_min, y_min, x_max, y_max = letterbox.to_original([xyxy])[0].tolist()
    if x_max <= x_min or y_max <= y_min:
        return None
    return clip_box(Box(x_min, y_min, x_max, y_max), width_px=letterbox.width_px, height_px=letterbox.height_px)
