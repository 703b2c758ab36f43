"""Outlines of a heat map's strongest regions, in pixels of the upright original."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worker.vision.heatmaps import find_regions, region_polygon
from worker.vision.letterbox import fit_letterbox

Floats = npt.NDArray[np.floating]


def strongest_outlines(
    heatmap: Floats, *, no_fish_index: int, input_hw: tuple[int, int], width_px: int, height_px: int, most: int
) -> list[tuple[int, Floats]]:
    """Return species index and outline of up to `most` regions, the strongest first.

    heatmap: (H, W, S) of the letterboxed input of input_hw. An outline is (N, 2), x and y.
    """
    grid_hw = (heatmap.shape[0], heatmap.shape[1])
    box = fit_letterbox(width_px=width_px, height_px=height_px, into_hw=input_hw)
    found = find_regions(heatmap, no_fish_index=no_fish_index, frame=box.grid_frame(grid_hw))
    outlines: list[tuple[int, Floats]] = []
    for region in found[:most]:
        cells = region_polygon(region.mask)  # (N, 2)
        points = box.grid_to_original(np.hstack([cells, cells]), grid_hw=grid_hw)[:, :2]
        outlines.append((region.species_index, points))
    return outlines
