"""The rule of the final answer: several fish vote, a false box hardly counts, nothing detected changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.domain.final_answer import final_probabilities, image_prediction

NO_FISH = 2


def test_a_false_box_hardly_counts() -> None:
    fish, false = (0.9, 0.05, 0.05), (0.01, 0.04, 0.95)

    prediction = image_prediction([fish, false], [0.8, 0.8], no_fish=NO_FISH)

    assert prediction is not None
    assert prediction[NO_FISH] == pytest.approx(0.05)  # as far as the surest fish leaves room
    # 0.95 x (0.9 + 0.01) / (0.9 + 0.01 + 0.05 + 0.04)
    assert prediction[0] == pytest.approx(0.95 * 0.91 / 1.0)


def test_the_surer_detection_counts_more() -> None:
    crops = [(0.9, 0.1, 0.0), (0.1, 0.9, 0.0)]

    prediction = image_prediction(crops, [0.9, 0.3], no_fish=NO_FISH)

    assert prediction is not None and prediction[0] > prediction[1]


def test_crops_that_are_surely_no_fish_make_the_image_empty() -> None:
    assert image_prediction([(0.0, 0.0, 1.0)], [0.5], no_fish=NO_FISH) == (0.0, 0.0, 1.0)
    assert image_prediction([(0.5, 0.5, 0.0)], [0.0], no_fish=NO_FISH) == (0.0, 0.0, 1.0)


def test_without_a_second_stage_or_with_weight_0_the_heads_decide() -> None:
    box, heatmap = (0.5, 0.25, 0.25), (0.25, 0.5, 0.25)

    assert final_probabilities(box, heatmap) == (0.375, 0.375, 0.25)
    assert final_probabilities(box, heatmap, (1.0, 0.0, 0.0), weight=0.0) == (0.375, 0.375, 0.25)


_distributions = st.lists(st.floats(0.001, 1.0), min_size=3, max_size=3).map(lambda v: tuple(x / sum(v) for x in v))


@given(
    _distributions, _distributions, st.lists(st.tuples(_distributions, st.floats(0, 1)), max_size=4), st.floats(0, 1)
)
def test_the_final_answer_is_always_a_distribution(
    box: tuple[float, ...], heatmap: tuple[float, ...], found: list[tuple[tuple[float, ...], float]], weight: float
) -> None:
    prediction = image_prediction([crop for crop, _ in found], [sure for _, sure in found], no_fish=NO_FISH)

    final = final_probabilities(box, heatmap, prediction, weight=weight)

    assert np.isclose(sum(final), 1.0) and min(final) >= 0.0


def test_a_confidence_too_small_to_be_shared_says_no_fish() -> None:
    assert image_prediction([(0.5, 0.25, 0.25)], [5e-324], no_fish=NO_FISH) == tuple(
        1.0 if place == NO_FISH else 0.0 for place in range(3)
    )
