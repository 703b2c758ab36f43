"""Which boxes are a picture's answer: both heads speak, and each fish is boxed once."""

from __future__ import annotations

from collections.abc import Sequence

from db.domain.boxes import Box
from db.domain.predictions import Head
from db.domain.results import StoredDetection, StoredPrediction
from db.domain.species import NO_FISH
from worker.results.names import BoxChoice

# The heat-map head's grid is coarse, so its box of a fish is often a part of the box head's.
SAME_FISH_SHARE = 0.5
TRUSTED_WEIGHT = 0.5


def chosen_boxes(
    prediction: StoredPrediction, *, choice: BoxChoice = BoxChoice.ANSWER, min_confidence: float = 0.0
) -> tuple[StoredDetection, ...]:
    """Return the detections that go out, the box head's first, then the most confident first."""
    sure = [found for found in prediction.detections if found.detection.confidence >= min_confidence]
    sure.sort(key=lambda found: (found.detection.head is not Head.BOX_SPECIES, -found.detection.confidence))
    if choice is BoxChoice.ANSWER:
        return answer_boxes(sure) if prediction.final_species != NO_FISH else ()
    if choice is BoxChoice.BOTH:
        return tuple(sure)
    return tuple(found for found in sure if found.detection.head == choice.value)


def box_species(prediction: StoredPrediction, found: StoredDetection) -> tuple[str, float]:
    """Return a box's species and its confidence: the second stage's where it proved better, else the head's.

    It proved better where it has the larger share in the picture's answer, which was fitted on unseen cameras. A box
    whose crop it takes for no fish keeps the head's species.
    """
    trusted = prediction.crop_weight >= TRUSTED_WEIGHT and found.crop_species not in (None, NO_FISH)
    if trusted and found.crop_species is not None and found.crop_confidence is not None:
        return found.crop_species, found.crop_confidence
    return found.detection.species, found.detection.confidence


def answer_boxes(detections: Sequence[StoredDetection]) -> tuple[StoredDetection, ...]:
    """Return one box a fish, of boxes in their order of precedence: one that shares half of itself is the same fish.

    The box head learned to fit the whole of the largest fish, so its box stays where both heads box the same fish; the
    heat-map head adds the other fish.
    """
    kept: list[StoredDetection] = []
    for found in detections:
        if all(_shared(found.detection.box, other.detection.box) < SAME_FISH_SHARE for other in kept):
            kept.append(found)
    return tuple(kept)


def _shared(first: Box, second: Box) -> float:
    """The share of the smaller box that lies in the other."""
    width_px = min(first.x_max, second.x_max) - max(first.x_min, second.x_min)
    height_px = min(first.y_max, second.y_max) - max(first.y_min, second.y_min)
    return max(0.0, width_px) * max(0.0, height_px) / min(first.area_px, second.area_px)
