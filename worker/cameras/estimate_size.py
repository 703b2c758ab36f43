"""Estimates a camera's typical fish size from what a detector sees of it at each of its input sizes.

Where fish come out at the size that the detector was taught, it is surest of them, and the sizes that it gives agree
with the input that it gave them at. An estimate only: three boxes drawn by a person are better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.fish_size import TARGET_FISH_PX, InputStep

Floats = npt.NDArray[np.float64]

# A size twice off the target speaks against an input about as much as half the score.
_SIZE_DEVIATION = 0.6  # of the logarithm
# Most cameras lie within a factor of two of the usual size; a weak reason is not enough to leave it.
_USUAL_DEVIATION = 1.2
# Where no input gives a surer fish than this in the mean, nothing was seen that could tell a size.
_MIN_SCORE = 0.08


@dataclass(frozen=True)
class SeenAtStep:
    """What a detector saw of some images at one input. scores: (N,), of the surest boxes. sizes_px: (N,), nominal."""

    step: InputStep
    scores: Floats
    sizes_px: Floats


Look = Callable[[InputStep], SeenAtStep]


def estimate_fish_px(steps: Sequence[InputStep], look: Look) -> float | None:
    """Return a camera's typical fish size in the nominal frame, None where no fish is seen clearly at any input.

    steps: the detector's inputs. look: gives the surest box or two of each image at an input.
    """
    seen = [look(step) for step in steps]
    worth = [_worth(one) for one in seen]
    best = seen[int(np.argmax(worth))]
    if not len(best.scores) or float(np.mean(best.scores)) < _MIN_SCORE:
        return None
    return _weighted_median(best.sizes_px, best.scores * _fitting(best))


def _worth(seen: SeenAtStep) -> float:
    """Return how much speaks for an input: sure fish, of the size that they should have there."""
    if not len(seen.scores):
        return 0.0
    usual = float(np.exp(-0.5 * (np.log(seen.step.zoom) / _USUAL_DEVIATION) ** 2))
    return usual * float(np.mean(seen.scores * _fitting(seen)))


def _fitting(seen: SeenAtStep) -> Floats:
    """Return how well each fish's size fits the input that it was seen at, 0..1."""
    off = np.log(np.maximum(seen.sizes_px, 1.0) * seen.step.zoom / TARGET_FISH_PX)
    return np.asarray(np.exp(-0.5 * (off / _SIZE_DEVIATION) ** 2), dtype=np.float64)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / max(float(weights.sum()), 1e-12)
    return float(values[order][min(int(np.searchsorted(share, 0.5)), len(values) - 1)])
