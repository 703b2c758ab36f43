"""How a camera's boxes differ from the fleet's: a shift of their log odds, as far as corrections on it prove it.

A score means more on one camera than on another. The fleet's curve is the prior; a camera's own shift is drawn towards
none by how much cameras differ, which the cameras with corrections tell (empirical Bayes, Efron and Morris 1975).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.domain.boxes import Box, iou

# How much cameras' offsets differ before corrections tell, and as how many cameras that counts.
USUAL_DEVIATION, _WORTH_CAMERAS = 1.0, 4.0
_LEAST_DEVIATION = 0.3
# Frames of one camera are near-duplicates: beyond so many boxes more of the same say no more.
_BOXES_A_CAMERA = 60
# Shifts are held in steps: each correction would make all of a camera's answers stale.
STEP, MOST = 0.5, 3.0
_HIT_IOU = 0.5
_TINY = 1e-6
_ROUNDS = 30


@dataclass(frozen=True)
class JudgedBoxes:
    """Boxes of a camera that a person judged. log_odds: of the fleet's chance. hits: whether each shows a fish."""

    log_odds: tuple[float, ...]
    hits: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.log_odds) != len(self.hits):
            raise ValueError(f"{len(self.log_odds)} boxes, {len(self.hits)} answers")


def camera_shifts(judged: Mapping[str, JudgedBoxes]) -> dict[str, float]:
    """Return the shift of each camera's log odds, in steps of a half; 0 where its corrections prove none.

    >>> sure = JudgedBoxes((0.0,) * 30, (True,) * 28 + (False,) * 2)
    >>> camera_shifts({"a": sure, "b": JudgedBoxes((0.0,) * 2, (True, False))})
    {'a': 2.0, 'b': 0.0}
    """
    usual = {camera: _fit(boxes, USUAL_DEVIATION) for camera, boxes in judged.items()}
    spread = [shift**2 + variance for shift, variance in usual.values()]
    variance = (_WORTH_CAMERAS * USUAL_DEVIATION**2 + sum(spread)) / (_WORTH_CAMERAS + len(spread))
    deviation = max(math.sqrt(variance), _LEAST_DEVIATION)
    return {camera: _stepped(_fit(boxes, deviation)[0]) for camera, boxes in judged.items()}


def log_odds_of(chance: float, *, shift: float = 0.0) -> float:
    """Return the fleet's log odds of a chance that was told with a shift."""
    inside = min(max(chance, _TINY), 1.0 - _TINY)
    return math.log(inside / (1.0 - inside)) - shift


def hits_of(boxes: Sequence[Box], fish: Sequence[Box]) -> list[bool]:
    """Return which boxes, surest first, are each the first on a fish."""
    free, hits = list(fish), []
    for box in boxes:
        best = max(free, key=lambda one: iou(box, one), default=None)
        if best is None or iou(box, best) < _HIT_IOU:
            hits.append(False)
            continue
        free.remove(best)
        hits.append(True)
    return hits


def _fit(judged: JudgedBoxes, deviation: float) -> tuple[float, float]:
    """Return the shift of the greatest posterior and its variance, by Newton's method."""
    weight = min(1.0, _BOXES_A_CAMERA / max(len(judged.hits), 1))
    shift, curvature = 0.0, 1.0
    for _ in range(_ROUNDS):
        slope, curvature = shift / deviation**2, 1.0 / deviation**2
        for log_odds, hit in zip(judged.log_odds, judged.hits, strict=True):
            chance = 1.0 / (1.0 + math.exp(-min(max(log_odds + shift, -40.0), 40.0)))
            slope += weight * (chance - hit)
            curvature += weight * chance * (1.0 - chance)
        shift -= min(max(slope / curvature, -1.0), 1.0)
    return shift, 1.0 / curvature


def _stepped(shift: float) -> float:
    return min(max(round(shift / STEP) * STEP, -MOST), MOST) + 0.0
