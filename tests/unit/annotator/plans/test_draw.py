"""Draws whose probabilities are known: sums, shares of strata, and that each image comes as often as it was told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.plans.draw import draw_systematic, inclusion_probabilities


@given(
    st.lists(st.floats(0, 1e3), min_size=1, max_size=60),
    st.floats(0, 1),
    st.floats(0.05, 1),
)
def test_probabilities_sum_to_the_size_and_none_is_zero(scores: list[float], share: float, floor_share: float):
    size = share * len(scores)

    found = inclusion_probabilities(np.array(scores), size=size, floor_share=floor_share)

    assert found.sum() == pytest.approx(size, abs=1e-6)
    assert found.max() <= 1.0
    assert found.min() >= min(1.0, floor_share * size / len(scores)) - 1e-9


def test_an_image_is_drawn_as_often_as_its_probability_says():
    rng = np.random.default_rng(0)
    probabilities = inclusion_probabilities(rng.random(50), size=10, floor_share=0.3)
    strata = np.arange(50) // 10

    times = np.zeros(50)
    for _ in range(4_000):
        times[draw_systematic(probabilities, strata, rng=rng)] += 1

    # Four deviations of a binomial share.
    assert np.all(np.abs(times / 4_000 - probabilities) < 4 * np.sqrt(0.25 / 4_000))


def test_a_draw_has_its_size_and_every_camera_its_fair_number():
    rng = np.random.default_rng(1)
    strata = np.repeat(np.arange(7), 30)
    probabilities = np.full(210, 20 / 210)

    drawn = draw_systematic(probabilities, strata, rng=rng)

    assert len(drawn) == 20
    assert set(np.bincount(strata[drawn], minlength=7)) <= {2, 3}


def test_the_same_seed_draws_the_same_images():
    once, again = (
        draw_systematic(np.full(100, 0.2), np.zeros(100, dtype=np.int64), rng=np.random.default_rng(5)).tolist()
        for _ in range(2)
    )

    assert once == again


def test_a_size_beyond_the_images_is_refused():
    with pytest.raises(ValueError, match="size 4 of 3 images"):
        inclusion_probabilities(np.ones(3), size=4, floor_share=0.5)
