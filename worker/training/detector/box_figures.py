"""Evaluates the boxes of a detector on held-out images: how many fish are found, how sure, and what a score means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.box_confidence import BoxConfidence
from db.domain.box_overlaps import box_iou_batch
from worker.training.detector.calibrate_boxes import CountedBoxes, calibration_error
from worker.training.metrics import ScoredBox, average_precision

Floats = npt.NDArray[np.float64]

_HIT_IOU = 0.5


@dataclass(frozen=True)
class SeenFish:
    """What a detector saw in one held-out image. boxes: (N, 4) original pixels, scores: (N,), surest first.

    truth: (M, 4) the labelled fish. heat_on, heat_off: the mean centre heat on fish and elsewhere, NaN for no fish.
    """

    camera: str
    boxes: Floats
    scores: Floats
    truth: Floats
    heat_on: float
    heat_off: float


def counted_boxes(seen: Sequence[SeenFish]) -> CountedBoxes:
    """Return every box with whether it is the first on a fish, IoU 0.5."""
    hits = [_hits(one) for one in seen]
    return CountedBoxes(
        scores=np.concatenate([one.scores for one in seen]) if seen else np.zeros(0),
        hits=np.concatenate(hits) if seen else np.zeros(0, dtype=bool),
        cameras=[one.camera for one in seen for _ in one.scores],
        images=len(seen),
    )


def box_figures(seen: Sequence[SeenFish], confidence: BoxConfidence) -> dict[str, float]:
    """Return the figures of the boxes by name; empty where no held-out image has a boxed fish.

    fish_ap50, fish_recall_in_1, fish_recall_in_3: of single fish. fish_pointing: how often the surest box's middle lies
    on a fish. boxes_an_image: that are kept. box_calibration_error: of the kept ones' chances, 0..1.
    """
    if not any(len(one.truth) for one in seen):
        return {}
    evaluated = counted_boxes(seen)
    chances = np.array([confidence.of(float(score)) for score in evaluated.scores])
    kept = np.array([place for one in seen for place in _kept(one, confidence)], dtype=bool)
    pointed = [_points_at_fish(one) for one in seen if len(one.truth)]
    return {
        "fish_ap50": _average_precision(seen),
        "fish_recall_in_1": _recall_in(seen, 1),
        "fish_recall_in_3": _recall_in(seen, 3),
        "fish_pointing": float(np.mean(pointed)),
        "boxes_an_image": float(kept.sum() / len(seen)),
        "box_calibration_error": calibration_error(chances[kept], evaluated.hits[kept]),
    }


def _kept(one: SeenFish, confidence: BoxConfidence) -> list[bool]:
    """Return which boxes of an image are kept, surest first; those after one that is not are not either."""
    chances = [confidence.of(float(score)) for score in one.scores]
    return [confidence.keeps(chance, before=place) for place, chance in enumerate(chances)]


def _average_precision(seen: Sequence[SeenFish]) -> float:
    found = [
        ScoredBox(place, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(score))
        for place, one in enumerate(seen)
        for box, score in zip(one.boxes, one.scores, strict=True)
    ]
    return average_precision(found, [one.truth for one in seen], iou_threshold=_HIT_IOU)


def _recall_in(seen: Sequence[SeenFish], count: int) -> float:
    found = sum(int(_claims(one.boxes[:count], one.truth).sum()) for one in seen)
    return found / max(sum(len(one.truth) for one in seen), 1)


def _hits(one: SeenFish) -> npt.NDArray[np.bool_]:
    return _claims(one.boxes, one.truth)


def _claims(boxes: Floats, truth: Floats) -> npt.NDArray[np.bool_]:
    """Return which boxes, surest first, each take a fish that none before them took; (N,)."""
    hits, free = np.zeros(len(boxes), dtype=bool), np.ones(len(truth), dtype=bool)
    overlaps = box_iou_batch(boxes, truth) if len(boxes) and len(truth) else np.zeros((len(boxes), len(truth)))
    for place in range(len(boxes)):
        open_overlaps = np.where(free, overlaps[place], -1.0)
        if len(truth) and open_overlaps.max() >= _HIT_IOU:
            free[int(open_overlaps.argmax())] = False
            hits[place] = True
    return hits


def _points_at_fish(one: SeenFish) -> bool:
    if not len(one.boxes):
        return False
    x, y = (one.boxes[0, 0] + one.boxes[0, 2]) / 2.0, (one.boxes[0, 1] + one.boxes[0, 3]) / 2.0
    inside = (one.truth[:, 0] <= x) & (x <= one.truth[:, 2]) & (one.truth[:, 1] <= y) & (y <= one.truth[:, 3])
    return bool(inside.any())
