"""Which boxes are a picture's answer: both heads speak, and each fish is boxed once."""

from __future__ import annotations

from collections.abc import Sequence

from db.domain.predictions import Head
from db.domain.results import StoredDetection, StoredPrediction
from db.domain.species import NO_FISH
from worker.results.names import BoxChoice
from worker.vision.heatmaps import non_max_suppression

# Two boxes of different heads are seldom tight on each other: a quarter shared is one fish, neighbours share less.
SAME_FISH_IOU = 0.25


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


def answer_boxes(detections: Sequence[StoredDetection]) -> tuple[StoredDetection, ...]:
    """Return one box a fish, of boxes in their order of precedence.

    The box head learned to fit the whole of the largest fish, so its box stays where both heads box the same fish; the
    heat-map head, whose cells are coarse, adds the other fish.
    """
    boxes = [found.detection.box.xyxy for found in detections]
    precedence = [float(-place) for place in range(len(boxes))]
    return tuple(detections[place] for place in non_max_suppression(boxes, precedence, iou_threshold=SAME_FISH_IOU))
