"""What labelme can show beside the answer: heat-map regions and the boxes that are not in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotator.export.write import Outline
    from db.store.model_versions import ModelFrame
    from db.store.review_queue import ReviewCandidate

# Further regions are faint, and would hide the image.
MOST_OUTLINES = 3


def outlines_for(frame: ModelFrame) -> Callable[[ReviewCandidate], tuple[Outline, ...]]:
    """Return what finds an image's outlines, in the upright image's pixels."""

    def outlines(candidate: ReviewCandidate) -> tuple[Outline, ...]:
        return (*box_head_outlines(candidate), *heatmap_outlines(candidate, frame))

    return outlines


def box_head_outlines(candidate: ReviewCandidate) -> tuple[Outline, ...]:
    """Return the box head's box as an outline, where it is not the answer's."""
    from annotator.export.write import Outline
    from db.domain.predictions import Head

    answer = {found.detection_id for found in candidate.answer.boxes}
    boxed = [
        stored.detection
        for stored in candidate.detections
        if stored.detection.head is Head.BOX_SPECIES and stored.detection_id not in answer
    ]
    corners = [found.box.xyxy for found in boxed]
    return tuple(
        Outline(found.species, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), told=f"box head {found.confidence:.2f}")
        for found, (x0, y0, x1, y1) in zip(boxed, corners, strict=True)
    )


def heatmap_outlines(candidate: ReviewCandidate, frame: ModelFrame) -> tuple[Outline, ...]:
    """Return the outlines of an image's strongest heat-map regions; none where no readable heat map is held."""
    from zipfile import BadZipFile

    from annotator.export.write import Outline
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
        input_hw=frame.input_of((heatmap.shape[0], heatmap.shape[1])),
        width_px=candidate.width_px,
        height_px=candidate.height_px,
        most=MOST_OUTLINES,
    )
    return tuple(
        Outline(frame.species[index], tuple((float(x), float(y)) for x, y in points)) for index, points in found
    )
