"""Which boxes are an image's answer: each fish once, and only what is likely one; one rule wherever boxes go out."""

from __future__ import annotations

from collections.abc import Sequence

from db.domain.boxes import Box
from db.domain.predictions import Head
from db.domain.results import StoredDetection, StoredPrediction
from db.domain.species import NO_FISH

# Boxes of one fish by different cells are often a part of each other, so the smaller one counts.
SAME_FISH_SHARE = 0.5
# Measured on 1,756 images of unseen boats (docs/results.md): above it, as many fish are lost as false boxes go.
SURE = 0.95
# The second stage's share in the image's answer, fitted on unseen cameras: with the larger one it knows better.
TRUSTED_WEIGHT = 0.5


def answer_boxes(prediction: StoredPrediction, *, at_least: float = SURE) -> tuple[StoredDetection, ...]:
    """Return one box a fish, the surest first; none where the image's final species is no fish.

    The heat-map head's boxes fit better than the box head's (figures in docs/results.md), so they come first; where it
    boxed nothing, the box head's box stands.
    """
    if prediction.final_species == NO_FISH:
        return ()
    return heatmap_fish(prediction.detections, at_least=at_least) or box_head(prediction.detections)


def heatmap_fish(detections: Sequence[StoredDetection], *, at_least: float = SURE) -> tuple[StoredDetection, ...]:
    """Return the heat-map head's boxes, one a fish: the surest in any case, others of at least this confidence.

    A box whose crop the second stage takes for no fish is out where another is left.
    """
    boxed = [found for found in detections if found.detection.head is Head.HEATMAP]
    boxed.sort(key=lambda found: -found.detection.confidence)
    kept: list[StoredDetection] = []
    for found in [found for found in boxed if found.crop_species != NO_FISH] or boxed[:1]:
        sure = not kept or found.detection.confidence >= at_least
        if sure and all(_shared(found.detection.box, other.detection.box) < SAME_FISH_SHARE for other in kept):
            kept.append(found)
    return tuple(kept)


def box_head(detections: Sequence[StoredDetection]) -> tuple[StoredDetection, ...]:
    """Return the box head's box: one or none."""
    return tuple(found for found in detections if found.detection.head is Head.BOX_SPECIES)


def box_species(prediction: StoredPrediction, found: StoredDetection) -> tuple[str, float]:
    """Return a box's species and its confidence: the second stage's where it proved better, else the head's.

    A box whose crop it takes for no fish keeps the head's species.
    """
    trusted = prediction.crop_weight >= TRUSTED_WEIGHT and found.crop_species not in (None, NO_FISH)
    if trusted and found.crop_species is not None and found.crop_confidence is not None:
        return found.crop_species, found.crop_confidence
    return found.detection.species, found.detection.confidence


def _shared(first: Box, second: Box) -> float:
    """The share of the smaller box that lies in the other."""
    width_px = min(first.x_max, second.x_max) - max(first.x_min, second.x_min)
    height_px = min(first.y_max, second.y_max) - max(first.y_min, second.y_min)
    return max(0.0, width_px) * max(0.0, height_px) / min(first.area_px, second.area_px)
