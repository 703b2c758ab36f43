"""What an order of looking is worth, from its curve: wrong images found after looking at 0, 1, 2, ... images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def normalised_gain(found: Sequence[int] | npt.NDArray[np.int64], *, looked_share: float) -> float:
    """Return how much of what an order could gain over chance it does: 1 is the best possible, 0 is chance.

    (found - random) / (best possible - random), all after the same share of looking. 0 where there is nothing to gain.

    >>> normalised_gain([0, 1, 2, 2, 2], looked_share=0.5)
    1.0
    """
    curve, best = np.asarray(found, dtype=np.float64), _best(found)
    place = round(looked_share * (len(curve) - 1))
    by_chance = curve[-1] * place / max(len(curve) - 1, 1)
    room = best[place] - by_chance
    return float((curve[place] - by_chance) / room) if room > 0.0 else 0.0


def mean_normalised_gain(found: Sequence[int] | npt.NDArray[np.int64]) -> float:
    """Return the gain over all shares of looking: the area over chance, as a part of the best possible one.

    >>> mean_normalised_gain([0, 0, 0, 1, 2])
    -1.0
    """
    curve, best = np.asarray(found, dtype=np.float64), _best(found)
    by_chance = np.linspace(0.0, curve[-1], len(curve))
    room = float((best - by_chance).sum())
    return float((curve - by_chance).sum()) / room if room > 0.0 else 0.0


def augrc(found: Sequence[int] | npt.NDArray[np.int64]) -> float:
    """Return the area under the generalised risk-coverage curve, 0 to 0.5; the lower the better.

    The risk of an answer that nobody looks at and that is wrong, averaged over all shares of looking.

    Source: Traub et al. 2024 (arXiv 2407.01032), equation 7.

    >>> augrc([0, 1, 1])
    0.125
    """
    curve = np.asarray(found, dtype=np.float64)
    images = len(curve) - 1
    if images < 1:
        return 0.0
    left = (curve[-1] - curve) / images  # (N + 1,)
    return float((left[1:] + left[:-1]).sum() / 2.0 / images)


def _best(found: Sequence[int] | npt.NDArray[np.int64]) -> Floats:
    """Return the curve of who knows which ones are wrong. (N + 1,)"""
    return np.minimum(np.arange(len(found), dtype=np.float64), float(found[-1]))
