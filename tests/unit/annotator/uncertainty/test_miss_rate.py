"""The miss rate of the unflagged images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.uncertainty.miss_rate import (
    Stratum,
    miss_rate,
    more_reviews_for,
    weighted_miss_rate,
    weighted_stratum,
)


@pytest.mark.parametrize(
    ("wrong", "reviewed", "low", "high"),
    [
        # The "rule of three": 3 / n is near the upper end; exactly 1 - 0.025 ** (1 / 30).
        pytest.param(0, 30, 0.0, 0.1157, id="none wrong"),
        # Published worked example: 10 of 100, 0.0490 to 0.1762.
        pytest.param(10, 100, 0.0490, 0.1762, id="ten of a hundred"),
        pytest.param(5, 5, 0.4782, 1.0, id="all wrong"),
        pytest.param(0, 0, 0.0, 1.0, id="nothing reviewed"),
    ],
)
def test_the_interval_is_the_exact_one(wrong, reviewed, low, high):
    found = miss_rate(reviewed=reviewed, wrong=wrong)

    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_before_any_review_there_is_no_rate():
    assert miss_rate(reviewed=0, wrong=0).rate is None


@given(st.integers(0, 300), st.integers(0, 300))
@settings(deadline=None, max_examples=60)
def test_the_rate_lies_in_its_interval(wrong, right):
    found = miss_rate(reviewed=wrong + right, wrong=wrong)

    assert found.rate is None or found.low <= found.rate <= found.high


def test_so_many_more_reviews_make_the_interval_narrow_enough():
    found = miss_rate(reviewed=50, wrong=5)

    more = more_reviews_for(found, width=0.1)

    assert more is not None
    # A tenth stays wrong; of a multiple of ten that is a whole number.
    above, below = 10 * math.ceil((50 + more) / 10), 10 * ((50 + more) // 10 - 1)
    assert miss_rate(reviewed=above, wrong=above // 10).width <= 0.1
    assert miss_rate(reviewed=below, wrong=below // 10).width > 0.1


def test_each_stratum_counts_by_its_images_not_by_its_reviews():
    # One small camera was asked for by name: it gave most answers, and all the wrong ones.
    found = weighted_miss_rate([Stratum(900, 20, 1), Stratum(100, 80, 40)])

    assert (found.reviewed, found.wrong) == (100, 41)
    assert found.rate == pytest.approx(0.9 * 1 / 20 + 0.1 * 40 / 80)
    # Kish: 1 / (0.9^2 / 20 + 0.1^2 / 80) = 24.6 evenly drawn ones; the interval is wider than that of 100.
    assert found.worth == pytest.approx(24.62, abs=0.01)
    assert found.width > miss_rate(reviewed=100, wrong=10).width


def test_strata_of_one_share_are_one_even_draw():
    found = weighted_miss_rate([Stratum(300, 30, 3), Stratum(100, 10, 1)])
    even = miss_rate(reviewed=40, wrong=4)

    assert (found.rate, found.low, found.high) == (
        pytest.approx(even.rate), pytest.approx(even.low), pytest.approx(even.high),
    )  # fmt: skip


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.02, 0.5), st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_the_interval_holds_the_true_rate_as_often_as_it_promises(first, second, rate, seed):
    """Two strata drawn unevenly: of 200 audits at 80 % at least 7 in 10 hold the truth, whatever the numbers."""
    rng = np.random.default_rng(seed)
    draws = zip(rng.binomial(first, rate, 200), rng.binomial(second, rate, 200), strict=True)
    audits = [
        weighted_miss_rate([Stratum(500, first, int(a)), Stratum(500, second, int(b))], confidence=0.8)
        for a, b in draws
    ]

    assert sum(one.low <= rate <= one.high for one in audits) >= 140


def test_a_draw_that_prefers_the_wrong_ones_tells_their_true_share_by_its_probabilities():
    """2,000 images, 8 % wrong, which a plan draws five times as often: 300 audits at 95 %."""
    rng = np.random.default_rng(4)
    wrong = np.arange(2_000) < 160
    chance = np.where(wrong, 0.25, 0.05)
    audits, plain = [], []
    for _ in range(300):
        drawn = np.flatnonzero(rng.random(len(wrong)) < chance)
        stratum = weighted_stratum(len(wrong), (1.0 / chance[drawn]).tolist(), wrong[drawn].tolist())
        audits.append(weighted_miss_rate([stratum]))
        plain.append(miss_rate(reviewed=len(drawn), wrong=int(wrong[drawn].sum())))

    rates = [one.rate for one in audits if one.rate is not None]
    assert np.mean(rates) == pytest.approx(0.08, abs=0.003)
    assert sum(one.low <= 0.08 <= one.high for one in audits) >= 285
    assert sum(one.low <= 0.08 <= one.high for one in plain) == 0  # what the same images say, counted alike


def test_a_narrow_enough_interval_needs_no_more():
    assert more_reviews_for(miss_rate(reviewed=1000, wrong=0), width=0.1) == 0


def test_a_width_nobody_can_reach_says_so():
    assert more_reviews_for(miss_rate(reviewed=10, wrong=5), width=1e-5) is None


@pytest.mark.parametrize(("reviewed", "wrong", "confidence"), [(1, 2, 0.95), (1, -1, 0.95), (1, 0, 1.0)])
def test_impossible_counts_are_refused(reviewed, wrong, confidence):
    with pytest.raises(ValueError, match="impossible"):
        miss_rate(reviewed=reviewed, wrong=wrong, confidence=confidence)
