"""The outlines of heat-map regions for labelme, from heat maps as workers store them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotator.export.write import OutlinedRegion
    from db.store.model_versions import ModelFrame
    from db.store.review_queue import ReviewCandidate

# Further regions are faint, and would hide the image.
MOST_OUTLINES = 3


def outlines_for(frame: ModelFrame) -> Callable[[ReviewCandidate], tuple[OutlinedRegion, ...]]:
    """Return what finds the outlines of an image's heat-map regions, in the upright image's pixels."""

    def outlines(candidate: ReviewCandidate) -> tuple[OutlinedRegion, ...]:
        return heatmap_outlines(candidate, frame)

    return outlines


def heatmap_outlines(candidate: ReviewCandidate, frame: ModelFrame) -> tuple[OutlinedRegion, ...]:
    """Return the outlines of an image's strongest heat-map regions; none where no readable heat map is held."""
    from zipfile import BadZipFile

    from annotator.export.write import OutlinedRegion
    from db.domain.species import NO_FISH, LabelSet
    from worker.vision.heatmaps import unpack_heatmap
    from worker.vision.outlines import strongest_outlines

    if candidate.heatmap is None:
        return ()
    try:
        heatmap = unpack_heatmap(candidate.heatmap)  # (H, W, S)
    except (BadZipFile, KeyError, OSError, ValueError):
        # The boxes say enough: a damaged heat map must not hold a review up.
        return ()
    found = strongest_outlines(
        heatmap,
        no_fish_index=LabelSet(frame.species).index(NO_FISH),
        input_hw=frame.input_hw,
        width_px=candidate.width_px,
        height_px=candidate.height_px,
        most=MOST_OUTLINES,
    )
    return tuple(
        OutlinedRegion(frame.species[index], tuple((float(x), float(y)) for x, y in points)) for index, points in found
    )
