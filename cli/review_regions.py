"""The outlines of heat-map regions for labelme, from heat maps as workers store them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotator.export import Region
    from db.store.review_queue import ModelFrame, ReviewCandidate

# Further regions are faint, and would hide the picture.
MOST_OUTLINES = 3


def outlines_for(frame: ModelFrame) -> Callable[[ReviewCandidate], tuple[Region, ...]]:
    """Return what finds the outlines of a picture's heat-map regions, in the upright picture's pixels."""

    def outlines(candidate: ReviewCandidate) -> tuple[Region, ...]:
        return heatmap_outlines(candidate, frame)

    return outlines


def heatmap_outlines(candidate: ReviewCandidate, frame: ModelFrame) -> tuple[Region, ...]:
    """Return the outlines of a picture's strongest heat-map regions; none where no readable heat map is held."""
    from zipfile import BadZipFile

    import numpy as np

    from annotator.export import Region
    from db.domain.species import NO_FISH, LabelSet
    from worker.vision.heatmaps import find_regions, region_polygon, unpack_heatmap
    from worker.vision.letterbox import fit_letterbox

    if candidate.heatmap is None:
        return ()
    try:
        heatmap = unpack_heatmap(candidate.heatmap)  # (H, W, S)
    except (BadZipFile, KeyError, OSError, ValueError):
        # The boxes say enough: a damaged heat map must not hold a review up.
        return ()
    grid_hw = (heatmap.shape[0], heatmap.shape[1])
    box = fit_letterbox(width_px=candidate.width_px, height_px=candidate.height_px, into_hw=frame.input_hw)
    found = find_regions(heatmap, no_fish_index=LabelSet(frame.species).index(NO_FISH), frame=box.grid_frame(grid_hw))
    outlines = []
    for region in found[:MOST_OUTLINES]:
        cells = region_polygon(region.mask)  # (N, 2)
        points = box.grid_to_original(np.hstack([cells, cells]), grid_hw=grid_hw)[:, :2]
        outline = tuple((float(x), float(y)) for x, y in points)
        outlines.append(Region(frame.species[region.species_index], outline))
    return tuple(outlines)
