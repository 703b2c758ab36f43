"""Resampled intervals: they hold the truth where what they assume holds, and one that forgets clusters does not."""

import numpy as np
import pytest

from annotator.estimates.resample import cluster_bootstrap, exponential_bootstrap
from annotator.estimates.weighted_sums import WeightedSum, interval_of_sum

SEASONS = 300


def test_whole_clusters_drawn_anew_hold_the_truth_and_images_taken_for_independent_do_not():
    rng = np.random.default_rng(5)
    clusters, drawn, images = 120, 12, 30
    held = forgotten = 0
    for _ in range(SEASONS):
        level = rng.gamma(4.0, 0.25, clusters)  # what the images of a cluster share
        fish = rng.poisson(level[:, None], (clusters, images))
        seen = fish[rng.choice(clusters, drawn, replace=False)]

        found = cluster_bootstrap(seen.sum(axis=1) * clusters / drawn, rng=rng, drawn_share=drawn / clusters)
        alone = 1.96 * seen.std() / np.sqrt(seen.size) * fish.size

        held += found.low <= fish.sum() <= found.high
        forgotten += abs(seen.mean() * fish.size - fish.sum()) <= alone

    assert held / SEASONS >= 0.92
    assert forgotten / SEASONS < 0.6


def test_clusters_that_are_all_alike_leave_nothing_open():
    found = cluster_bootstrap(np.full(6, 2.0), rng=np.random.default_rng(0))

    assert (found.low, found.value, found.high) == (12.0, 12.0, 12.0)


def test_one_cluster_tells_nothing_of_others():
    with pytest.raises(ValueError, match="1 clusters"):
        cluster_bootstrap(np.ones(1), rng=np.random.default_rng(0))


@pytest.mark.parametrize("mean", [0.5, 2.0, 6.0])
def test_few_events_hold_the_truth(mean: float):
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(SEASONS):
        sizes = rng.uniform(10.0, 30.0, rng.poisson(mean))  # an event stands for some unseen ones
        found = exponential_bootstrap(sizes, next_size=20.0, rng=rng)
        held += found.low <= 20.0 * mean <= found.high

    assert held / SEASONS >= 0.93


def test_of_equal_events_the_bounds_are_those_of_the_gamma_interval():
    found = exponential_bootstrap(np.full(8, 3.0), next_size=3.0, rng=np.random.default_rng(3))
    exact = interval_of_sum(WeightedSum(24.0, 72.0, 3.0, 9.0), confidence=0.95)

    assert found.low == pytest.approx(exact.low, rel=0.06)
    assert found.high == pytest.approx(exact.high, rel=0.06)
