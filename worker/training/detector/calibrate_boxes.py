"""Fits what a box's score means on held-out cameras, drawn towards the usual curve where boxes are few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from db.domain.box_confidence import UNFITTED, BoxConfidence

Floats = npt.NDArray[np.float64]

# How far a model's slope and offset may lie from the usual ones before boxes must speak for it.
_SLOPE_DEVIATION, _OFFSET_DEVIATION = 0.5, 1.0
# Frames of one camera are near-duplicates: beyond so many boxes more of the same say no more.
_BOXES_A_CAMERA = 60
_KEPT_AN_IMAGE = 3.0
# An unseen camera's fish may score far lower than those of the held-out ones: on five real cameras by three in log
# odds. The first three boxes of an image are kept nearly whatever they score.
_LOWEST_KEPT, _HIGHEST_KEPT = 0.003, 0.01


@dataclass(frozen=True)
class CountedBoxes:
    """Boxes on held-out images. scores: (N,). hits: (N,) whether each is the first on its fish. cameras: (N,)."""

    scores: Floats
    hits: npt.NDArray[np.bool_]
    cameras: Sequence[str]
    images: int


def fit_box_confidence(evaluated: CountedBoxes) -> BoxConfidence:
    """Return the curve from scores to the chance of a hit, and below which chance a box is not kept.

    The maximum of the posterior: a logistic regression on the score's logit (Platt 1999) with normal priors.
    """
    if not len(evaluated.scores):
        return UNFITTED
    x, y = logit(np.clip(evaluated.scores, 1e-6, 1.0 - 1e-6)), evaluated.hits.astype(np.float64)
    counts = Counter(evaluated.cameras)
    weights = np.array([min(1.0, _BOXES_A_CAMERA / counts[camera]) for camera in evaluated.cameras])

    def loss(curve: Floats) -> float:
        z = curve[0] * x + curve[1]
        entropy = float((weights * (np.logaddexp(0.0, z) - y * z)).sum())
        slope, offset = (curve[0] - UNFITTED.slope) / _SLOPE_DEVIATION, (curve[1] - UNFITTED.offset) / _OFFSET_DEVIATION
        return entropy + 0.5 * float(slope**2 + offset**2)

    found = minimize(loss, np.array([UNFITTED.slope, UNFITTED.offset]), bounds=[(0.1, 5.0), (-10.0, 10.0)])
    slope, offset = (float(one) for one in found.x)
    return BoxConfidence(
        slope=slope,
        offset=offset,
        at_least=_at_least(expit(slope * x + offset), evaluated.images),
        boxes=len(evaluated.scores),
        images=evaluated.images,
        cameras=len(counts),
    )


def calibration_error(chances: npt.ArrayLike, hits: npt.ArrayLike, *, bins: int = 10) -> float:
    """Return how far chances and shares of hits lie apart, 0..1, over bins of equal width.

    Source: Guo et al. 2017, section 2.

    >>> calibration_error([0.25, 0.25, 0.25, 0.25], [True, False, False, False])
    0.0
    """
    p, y = np.asarray(chances, dtype=np.float64), np.asarray(hits, dtype=np.float64)
    if not len(p):
        return float("nan")
    place = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [abs(p[place == one].mean() - y[place == one].mean()) * (place == one).sum() for one in np.unique(place)]
    return float(np.sum(gaps) / len(p))


def _at_least(chances: Floats, images: int) -> float:
    """Return the chance above which an image has three boxes in the mean."""
    wanted = round(_KEPT_AN_IMAGE * images)
    surest = np.sort(chances)[::-1]
    level = float(surest[wanted]) if len(surest) > wanted else _LOWEST_KEPT
    return float(np.clip(level, _LOWEST_KEPT, _HIGHEST_KEPT))
