"""What the centre head is to learn of a window: how near each cell is to a fish's centre, and that fish's sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# The hill over a fish covers about half of it: six deviations are 0.54 of its side.
_HILL_SHARE = 0.54
_MIN_DEVIATION_CELLS = 0.6
_REACH = 3.0  # deviations; beyond them the hill is nothing
# Cells of a hill above this give the fish's box.
_BOX_FLOOR = 0.05


@dataclass(frozen=True)
class CentreTargets:
    """Arrays over one window's cells. hills: (h, w) 0..1, 1 at each fish's centre cell.

    sides: (h, w, 4) input pixels from a cell's centre to its fish's left, top, right, bottom; weights: (h, w), what a
    cell's box counts, summing to 1 a fish that no smaller one covers. fish: how many there are.
    """

    hills: Floats
    sides: Floats
    weights: Floats
    fish: int


def centre_targets(boxes: npt.ArrayLike, *, grid_hw: tuple[int, int], stride_px: int) -> CentreTargets:
    """Return the targets of a window. boxes: (N, 4) xyxy, window pixels, cut at its edge.

    Where hills meet the higher one counts; where boxes do, the smaller fish's, for the larger has more other cells.
    Sources: Law and Deng 2018 (CornerNet) for the hills; Tian et al. 2019 (FCOS) for the sides.
    """
    fish = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    fish = fish[np.argsort(-np.prod(fish[:, 2:] - fish[:, :2], axis=1), kind="stable")]
    hills, weights = np.zeros(grid_hw, dtype=np.float32), np.zeros(grid_hw, dtype=np.float32)
    sides = np.zeros((*grid_hw, 4), dtype=np.float32)
    every = _cell_sides(grid_hw, stride_px)
    for box in fish:
        hill = _hill(box, grid_hw, stride_px)
        hills = np.maximum(hills, hill)
        own = hill > _BOX_FLOOR
        weights[own] = hill[own] / hill[own].sum()
        sides[own] = np.maximum((every + box * np.array([-1.0, -1.0, 1.0, 1.0]))[own], 0.0)
    return CentreTargets(hills, sides, weights, len(fish))


def _hill(box: npt.NDArray[np.float64], grid_hw: tuple[int, int], stride_px: int) -> Floats:
    """Return an elliptical Gaussian over a fish, (h, w), 1 at the cell that holds its centre."""
    across = _bell((box[0] + box[2]) / 2.0, box[2] - box[0], grid_hw[1], stride_px)
    down = _bell((box[1] + box[3]) / 2.0, box[3] - box[1], grid_hw[0], stride_px)
    return np.asarray(np.outer(down, across), dtype=np.float32)


def _bell(centre_px: float, side_px: float, cells: int, stride_px: int) -> npt.NDArray[np.float64]:
    middle = min(int(centre_px / stride_px), cells - 1)
    deviation = max(_HILL_SHARE * side_px / stride_px / 6.0, _MIN_DEVIATION_CELLS)
    away = np.abs(np.arange(cells) - middle) / deviation
    return np.where(away <= _REACH, np.exp(-0.5 * away**2), 0.0)


def _cell_sides(grid_hw: tuple[int, int], stride_px: int) -> npt.NDArray[np.float64]:
    """Return each cell's centre as (x, y, -x, -y), (h, w, 4): added to a signed box it gives the sides."""
    x, y = np.meshgrid((np.arange(grid_hw[1]) + 0.5) * stride_px, (np.arange(grid_hw[0]) + 0.5) * stride_px)
    return np.stack([x, y, -x, -y], axis=-1)
