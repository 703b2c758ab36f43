"""Intervals of weighted sums of few events, and of the difference of two such sums."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import gamma

from db.domain.estimates import Estimate

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WeightedSum:
    """The sum of what sampled events stand for. variance: of that sum, summed over the events.

    next_size, next_variance: what one more event of average weight would add to both.
    """

    value: float
    variance: float
    next_size: float
    next_variance: float


def interval_of_sum(found: WeightedSum, *, confidence: float) -> Estimate:
    """Return the interval of a sum whose events came by chance; it holds for none or few events as well as for many.

    No event at all gives 0 to 3.7 times the next event (two-sided 95 %): the rule of three for unequal weights.

    Source: Fay and Feuer 1997 (gamma intervals of weighted sums of Poisson counts); Tiwari, Clegg and Zou 2006 (the
    next event is one of average weight, the heaviest one makes intervals needlessly wide).

    >>> ten = interval_of_sum(WeightedSum(10.0, 10.0, 1.0, 1.0), confidence=0.95)
    >>> round(ten.low, 2), round(ten.high, 2)
    (4.8, 18.39)
    """
    tail = (1.0 - confidence) / 2.0
    low = _gamma_quantile(tail, mean=found.value, variance=found.variance)
    high = _gamma_quantile(
        1.0 - tail, mean=found.value + found.next_size, variance=found.variance + found.next_variance
    )
    return Estimate(found.value, min(low, found.value), max(high, found.value))


def interval_of_difference(first: Estimate, second: Estimate) -> Estimate:
    """Return the interval of first minus second, two independent figures, each with an interval of its own.

    Source: Zou and Donner 2008, section 2 (MOVER): each bound takes the side of the two intervals that it depends on.

    >>> found = interval_of_difference(Estimate(10, 6, 16), Estimate(4, 1, 12))
    >>> round(found.low, 2), round(found.high, 2)
    (-2.94, 12.71)
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, low, high)


def _gamma_quantile(share: float, *, mean: float, variance: float) -> float:
    if mean <= 0.0 or variance <= 0.0:
        return max(mean, 0.0)
    return float(gamma.ppf(share, mean**2 / variance, scale=variance / mean))
