"""Intervals by resampling: whole clusters that were drawn together, and weights by chance where events are few."""

from __future__ import annotations

import numpy as np

from annotator.estimates.totals import CONFIDENCE
from annotator.estimates.weighted_sums import Floats
from db.domain.estimates import Estimate

_DRAWS, _RARE_DRAWS = 1_000, 4_000
_LARGEST_T = 50.0


def cluster_bootstrap(
    expanded: Floats,
    *,
    rng: np.random.Generator,
    drawn_share: float = 0.0,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Return the sum of what some clusters stand for, and its interval when whole clusters are drawn anew.

    expanded: (m,), a cluster's total by its inclusion probability; frames of one cluster share their errors, so a
    cluster is one witness. drawn_share: of all clusters those that were drawn; a job that was seen whole is known.
    The interval is studentised: sums of few unlike clusters lean to one side.

    Raises:
        ValueError: fewer than two clusters.

    Source: Rao and Wu 1988 (clusters are what is resampled); Davison and Hinkley 1997, section 5.2 (the studentised
    bootstrap).

    >>> found = cluster_bootstrap(np.array([9.0, 11.0, 10.0, 10.0, 10.0]), rng=np.random.default_rng(0))
    >>> found.value, bool(found.low < 50.0 < found.high)
    (50.0, True)
    """
    count = len(expanded)
    if count < 2:
        raise ValueError(f"{count} clusters tell nothing of how clusters differ")
    value, error = float(expanded.sum()), _error_of_sum(expanded[None, :])[0]
    if error <= 0.0:
        return Estimate(value, value, value)
    again = expanded[rng.integers(0, count, (_DRAWS, count))]  # (draws, m)
    errors = _error_of_sum(again)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors > 0.0, (again.sum(axis=1) - value) / errors, 0.0)
    tail = (1.0 - confidence) / 2.0
    # Draws of almost equal clusters divide by almost nothing.
    low, high = np.quantile(np.clip(ratios, -_LARGEST_T, _LARGEST_T), [tail, 1.0 - tail])
    spread = error * float(np.sqrt(max(1.0 - drawn_share, 0.0)))
    return Estimate(value, value - max(high, 0.0) * spread, value - min(low, 0.0) * spread)


def exponential_bootstrap(
    sizes: Floats, *, next_size: float, rng: np.random.Generator, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the sum of what a few events stand for, and its interval when each counts by a weight by chance.

    sizes: (n,), zero or more: how much each event that was seen stands for. next_size: what one more event would. A
    weight is exponential with mean 1, so none is ever left out, as resampling leaves out a lone event. The upper end
    also holds one event that nobody saw, so that no event gives 0 to 3.7 times the next one.

    Source: Rubin 1981 (the Bayesian bootstrap); for rare events arXiv 2604.03827. Of equal events the bounds are those
    of Garwood 1936: sums of exponential weights are gamma quantiles.

    >>> none = exponential_bootstrap(np.zeros(0), next_size=1.0, rng=np.random.default_rng(0))
    >>> none.low, round(none.high)
    (0.0, 4)
    """
    held = sizes[sizes > 0.0]
    value, tail = float(held.sum()), (1.0 - confidence) / 2.0
    sums = rng.exponential(size=(_RARE_DRAWS, len(held))) @ held  # (draws,)
    more = sums + next_size * rng.exponential(size=_RARE_DRAWS)
    low, high = float(np.quantile(sums, tail)), float(np.quantile(more, 1.0 - tail))
    return Estimate(value, min(low, value), max(high, value))


def _error_of_sum(expanded: Floats) -> Floats:
    """Return the standard error of the sum of each row's clusters, drawn with replacement. (B, m) -> (B,)"""
    return np.asarray(expanded.std(axis=1, ddof=1) * np.sqrt(expanded.shape[1]))
