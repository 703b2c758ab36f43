"""Fits how far an image may lie from all that a model learnt from, in its trunk's features. numpy only.

The distance is Mahalanobis's with a shrunk covariance (Lee et al. 2018, "A simple unified framework for detecting
out-of-distribution samples"; Ledoit and Wolf 2004 for the shrinkage), every camera counted alike. Its unit is what
cameras themselves tell: each is left out in turn, and the farthest of them is at the edge of what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Of fewer cameras the one that is left out says too little.
MIN_CAMERAS = 3
_SHRINKAGE = 0.3
_EDGE_QUANTILE = 0.95
# A camera never seen may lie somewhat farther than the farthest of a few.
_EDGE_MARGIN = 1.2


@dataclass(frozen=True)
class NoveltyScale:
    """What turns pooled features into a novelty: the length of (x - mean) @ whitening, a mean over its dimensions.

    mean: (D,). whitening: (D, D). Above 1 an image lies beyond the edge of what is known.
    """

    mean: Floats
    whitening: Floats

    def of(self, features: npt.ArrayLike) -> Floats:
        """Return the novelty of images. features: (N, D), pooled. Returns (N,)."""
        return _distance(np.asarray(features, dtype=np.float64), self.mean, self.whitening)


def fit_novelty(features: npt.ArrayLike, cameras: Sequence[str]) -> NoveltyScale | None:
    """Return the scale of the images that a model learns from; None where too few cameras tell it.

    features: (N, D), the trunk's deepest map pooled. cameras: of each image.
    """
    x, of_camera = np.asarray(features, dtype=np.float64), np.asarray(cameras)
    names = sorted(set(cameras))
    if len(names) < MIN_CAMERAS:
        return None
    edges = []
    for name in names:
        others = of_camera != name
        mean, whitening = _whitening(x[others], of_camera[others])
        edges.append(np.quantile(_distance(x[~others], mean, whitening), _EDGE_QUANTILE))
    mean, whitening = _whitening(x, of_camera)
    return NoveltyScale(mean, whitening / (_EDGE_MARGIN * max(edges)))


def _whitening(x: Floats, cameras: npt.NDArray[np.str_]) -> tuple[Floats, Floats]:
    """Return the mean and the matrix that makes the images' spread about it the same in all directions."""
    names, rows, counts = np.unique(cameras, return_inverse=True, return_counts=True)
    weights = 1.0 / (len(names) * counts[rows])
    mean = weights @ x
    spread = ((x - mean) * weights[:, None]).T @ (x - mean)
    even = np.trace(spread) / len(spread)
    shrunk = (1.0 - _SHRINKAGE) * spread + _SHRINKAGE * even * np.eye(len(spread))
    values, vectors = np.linalg.eigh(shrunk)
    return mean, vectors / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny))


def _distance(x: Floats, mean: Floats, whitening: Floats) -> Floats:
    return np.asarray(np.sqrt((((x - mean) @ whitening) ** 2).mean(axis=1)))
