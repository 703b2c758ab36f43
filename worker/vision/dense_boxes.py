"""Turns the boxes that single heat-map cells give into the fish of an image: one box a fish, surest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.box_overlaps import box_iou_batch
from worker.vision.heatmaps import MAX_REGIONS

Floats = npt.NDArray[np.float64]

# Below this a cell is more likely background than fish.
CELL_FLOOR = 0.3
# Cells whose boxes overlap more than this speak of the same fish.
SAME_FISH_IOU = 0.4


@dataclass(frozen=True)
class DenseBox:
    """One fish. box: xyxy, input pixels. confidence: of its surest cell, 0..1."""

    box: tuple[float, float, float, float]
    species_index: int
    confidence: float


def find_dense_boxes(
    heatmap: npt.ArrayLike,
    ltrb_offsets: npt.ArrayLike,
    *,
    no_fish_index: int,
    frame: tuple[float, float, float, float],
    input_hw: tuple[int, int],
    floor: float = CELL_FLOOR,
) -> list[DenseBox]:
    """Return every fish of an image, most confident first.

    heatmap: (h, w, S), 0..1. ltrb_offsets: (h, w, 4), input pixels from each cell's centre to its fish's left, top,
    right and bottom. frame: the cells that show the image; no other cell has a say.
    The surest cell starts a fish; all cells whose boxes overlap its box give the fish's box, weighted by their own
    certainty, and its species. Source: box voting, Gidaris and Komodakis 2015, section 3.
    """
    grid = np.asarray(heatmap, dtype=np.float64)
    fish = np.delete(grid, no_fish_index, axis=2)  # (h, w, S - 1)
    sure = fish.sum(axis=2)
    rows, columns = np.nonzero((sure >= floor) & _in_frame(grid.shape[:2], frame))
    order = np.argsort(-sure[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    boxes = _cell_boxes(np.asarray(ltrb_offsets, dtype=np.float64), rows, columns, input_hw)
    return _grouped(boxes, grid[rows, columns], sure[rows, columns], no_fish_index)


def _grouped(boxes: Floats, cells: Floats, sure: Floats, no_fish_index: int) -> list[DenseBox]:
    """boxes: (N, 4) and cells: (N, S) of the candidates, surest first."""
    free = np.ones(len(boxes), dtype=bool)
    found: list[DenseBox] = []
    for first in range(len(boxes)):
        if not free[first] or len(found) == MAX_REGIONS:
            continue
        same = free & (box_iou_batch(boxes[first], boxes)[0] > SAME_FISH_IOU)
        same[first] = True
        free &= ~same
        x_min, y_min, x_max, y_max = np.average(boxes[same], axis=0, weights=sure[same]).tolist()
        votes = np.average(cells[same], axis=0, weights=sure[same])
        votes[no_fish_index] = 0.0
        found.append(DenseBox((x_min, y_min, x_max, y_max), int(votes.argmax()), float(min(1.0, sure[first]))))
    return found


def _cell_boxes(
    sides: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], input_hw: tuple[int, int]
) -> Floats:
    x = (columns + 0.5) * (input_hw[1] / sides.shape[1])
    y = (rows + 0.5) * (input_hw[0] / sides.shape[0])
    centres = np.stack([x, y, x, y], axis=1)
    return np.asarray(centres + sides[rows, columns] * np.array([-1.0, -1.0, 1.0, 1.0]), dtype=np.float64)


def _in_frame(grid_hw: tuple[int, ...], frame: tuple[float, float, float, float]) -> npt.NDArray[np.bool_]:
    # A cell counts where its centre shows the image.
    x, y = np.arange(grid_hw[1]) + 0.5, np.arange(grid_hw[0]) + 0.5
    inside: npt.NDArray[np.bool_] = ((y >= frame[1]) & (y <= frame[3]))[:, None] & ((x >= frame[0]) & (x <= frame[2]))[
        None, :
    ]
    return inside
