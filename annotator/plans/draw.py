"""Draws images with unequal probabilities that are known before anyone looks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def inclusion_probabilities(scores: Floats, *, size: float, floor_share: float) -> Floats:
    """Return each image's probability to be drawn; they sum to `size`, none is zero, none above 1.

    scores: (N,), zero or more: how much there is to learn from each image; the best are proportional to the root of
    the expected squared error. floor_share: the part of the draw that goes to all images alike, above 0 to 1: it
    bounds the weight of an error where the model is sure.

    Raises:
        ValueError: a size outside 0..N, a share outside (0, 1], or a negative score.

    Source: Zrnic and Candes 2024 (active inference), section 5: proportional to the expected error, mixed with
    uniform; Särndal, Swensson and Wretman 1992, section 3.6 (what would be above 1 is taken for certain).

    >>> inclusion_probabilities(np.array([3.0, 1.0, 0.0, 0.0]), size=2, floor_share=0.5)
    array([1.  , 0.5 , 0.25, 0.25])
    """
    count = len(scores)
    if not 0.0 <= size <= count or not 0.0 < floor_share <= 1.0 or (count and scores.min() < 0.0):
        raise ValueError(f"size {size} of {count} images, floor {floor_share}: wanted 0..{count}, above 0 to 1")
    total = float(scores.sum())
    shares = np.full(count, 1.0 / max(count, 1))
    if total > 0.0:
        shares = floor_share * shares + (1.0 - floor_share) * scores / total
    return _scaled_to(shares, size)


def _scaled_to(shares: Floats, size: float) -> Floats:
    """Return min(1, c * shares) with the c for which they sum to `size`; found at once from the sorted shares."""
    if size >= len(shares):
        return np.ones(len(shares))
    falling = np.sort(shares)[::-1]  # (N,)
    rest = np.append(np.cumsum(falling[::-1])[::-1], 0.0)  # (N + 1,): the sum of the k-th and all smaller ones
    certain = np.arange(len(shares))
    # With the k largest taken for certain the others share what is left; the first k where none of them exceeds 1.
    fits = (size - certain) * falling <= rest[:-1]
    k = int(np.argmax(fits))
    return np.asarray(np.minimum(1.0, shares * ((size - k) / rest[k])))


def draw_systematic(probabilities: Floats, strata: Codes, *, rng: np.random.Generator) -> Codes:
    """Return the places drawn, in order: each image with its probability, and every stratum with its fair number.

    strata: (N,), the order in which the images are stepped through (camera, then day); equal ones come in an order by
    chance. With equal steps from a start by chance a stratum gets its expected number, rounded up or down.

    Source: Madow 1949; Hartley and Rao 1962 (in an order by chance).

    >>> draw_systematic(np.full(6, 0.5), np.array([0, 0, 1, 1, 2, 2]), rng=np.random.default_rng(0)) // 2
    array([0, 1, 2])
    """
    order = np.lexsort((rng.random(len(probabilities)), strata))
    steps = np.cumsum(probabilities[order]) + rng.random()
    # Sums of many small numbers end a hair beside a whole one; the last step must not be lost or doubled by it.
    crossed = np.floor(np.append(0.0, np.round(steps, 9)))
    return np.asarray(np.sort(order[np.diff(crossed) > 0]))
