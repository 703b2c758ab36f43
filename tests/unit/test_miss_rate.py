"""The miss rate of the unflagged pictures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.miss_rate import miss_rate, more_reviews_for


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
    total = 50 + more
    assert miss_rate(reviewed=total, wrong=round(0.1 * total)).width <= 0.1
    assert miss_rate(reviewed=total - 20, wrong=round(0.1 * (total - 20))).width > 0.1


def test_a_narrow_enough_interval_needs_no_more():
    assert more_reviews_for(miss_rate(reviewed=1000, wrong=0), width=0.1) == 0


def test_a_width_nobody_can_reach_says_so():
    assert more_reviews_for(miss_rate(reviewed=10, wrong=5), width=1e-5) is None


@pytest.mark.parametrize(("reviewed", "wrong", "confidence"), [(1, 2, 0.95), (1, -1, 0.95), (1, 0, 1.0)])
def test_impossible_counts_are_refused(reviewed, wrong, confidence):
    with pytest.raises(ValueError, match="impossible"):
        miss_rate(reviewed=reviewed, wrong=wrong, confidence=confidence)
