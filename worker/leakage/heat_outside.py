"""Measures how much of a heat map's energy lies beside the labelled fish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class HeatSpread:
    """Where the heat of one image lies. outside: share beside the boxes, 0..1; even: what an even map would have."""

    outside: float
    even: float


def heat_outside(
    heatmap: npt.ArrayLike,
    boxes: npt.ArrayLike,
    *,
    no_fish_index: int,
    frame: tuple[float, float, float, float],
) -> HeatSpread | None:
    """Return how much of a heat map lies beside the boxes; None where it has no heat or no cell beside them.

    A cell's heat is the probability that it shows any fish. A cell that a box touches counts as inside.
    heatmap: (h, w, S), each cell sums to 1. boxes: (M, 4) xyxy, cells. frame: the cells that show the image.

    >>> heat_outside([[[1.0, 0.0], [0.75, 0.25]]], [[0, 0, 1, 1]], no_fish_index=1, frame=(0, 0, 2, 1)).outside
    0.42857142857142855
    """
    cells = 1.0 - np.asarray(heatmap, dtype=np.float64)[:, :, no_fish_index]
    y, x = np.arange(cells.shape[0]), np.arange(cells.shape[1])
    shown = ((y + 0.5 >= frame[1]) & (y + 0.5 <= frame[3]))[:, None] & ((x + 0.5 >= frame[0]) & (x + 0.5 <= frame[2]))
    inside = np.zeros_like(shown)
    for x_min, y_min, x_max, y_max in np.asarray(boxes, dtype=np.float64).reshape(-1, 4):
        inside |= ((y < y_max) & (y + 1 > y_min))[:, None] & ((x < x_max) & (x + 1 > x_min))
    heat = float(cells[shown].sum())
    if heat <= 0.0 or not (shown & ~inside).any():
        return None
    outside = shown & ~inside
    return HeatSpread(float(cells[outside].sum()) / heat, float(outside.sum() / shown.sum()))
