"""Intervals of weighted sums, checked against the exact ones that statistics knows for equal weights."""

import numpy as np
import pytest
from scipy.stats import chi2

from annotator.estimates.weighted_sums import WeightedSum, interval_of_difference, interval_of_sum
from db.domain.estimates import Estimate


@pytest.mark.parametrize("events", [0, 1, 5, 40])
def test_with_equal_weights_the_interval_is_the_exact_one_of_a_poisson_count(events: int):
    found = interval_of_sum(WeightedSum(3.0 * events, 9.0 * events, 3.0, 9.0), confidence=0.95)

    # Garwood 1936, times the weight of three.
    assert found.low == pytest.approx(3.0 * chi2.ppf(0.025, 2 * events) / 2.0 if events else 0.0)
    assert found.high == pytest.approx(3.0 * chi2.ppf(0.975, 2 * events + 2) / 2.0)


def test_no_event_among_those_reviewed_leaves_room_for_nearly_four_unseen_ones():
    found = interval_of_sum(WeightedSum(0.0, 0.0, 1.0, 1.0), confidence=0.95)

    assert (found.value, found.low, found.high) == (0.0, 0.0, pytest.approx(3.689, abs=1e-3))


def test_what_was_seen_in_full_has_no_interval():
    assert interval_of_sum(WeightedSum(0.0, 0.0, 0.0, 0.0), confidence=0.95) == Estimate(0.0, 0.0, 0.0)


def test_the_difference_of_two_symmetric_intervals_has_the_width_that_normal_theory_gives():
    found = interval_of_difference(Estimate(10.0, 7.0, 13.0), Estimate(4.0, 0.0, 8.0))

    assert (found.low, found.high) == (6.0 - np.hypot(3, 4), 6.0 + np.hypot(3, 4))


def test_an_interval_beside_its_value_is_refused():
    with pytest.raises(ValueError, match="does not hold its value"):
        Estimate(5.0, 6.0, 7.0)


def test_an_estimate_is_cut_to_what_is_possible():
    assert Estimate(-1.0, -5.0, 3.0).within(low=0.0, high=2.0) == Estimate(0.0, 0.0, 2.0)
