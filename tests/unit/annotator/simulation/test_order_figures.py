"""What an order of looking is worth: the best is 1, chance is 0, the worst is as bad as the best is good."""

import numpy as np
import pytest

from annotator.simulation.order_figures import augrc, mean_normalised_gain, normalised_gain

BEST = [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2]
WORST = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.5])
def test_the_best_order_gains_all_there_is_at_every_share(share: float):
    assert normalised_gain(BEST, looked_share=share) == pytest.approx(1.0)


def test_half_of_what_could_be_gained_is_a_half():
    # Two of ten are wrong. After two images: one found, 0.4 by chance, 2 at best.
    assert normalised_gain([0, 1, 1, *[2] * 8], looked_share=0.2) == pytest.approx(0.6 / 1.6)


def test_over_many_draws_chance_gains_nothing():
    rng = np.random.default_rng(0)
    wrong = np.array([1] * 20 + [0] * 80)

    gains = [mean_normalised_gain(np.append(0, np.cumsum(rng.permutation(wrong)))) for _ in range(500)]

    assert np.mean(gains) == pytest.approx(0.0, abs=0.03)
    assert mean_normalised_gain(BEST) == pytest.approx(1.0)
    assert mean_normalised_gain(WORST) == pytest.approx(-1.0)


def test_the_risk_of_what_nobody_looks_at_by_hand():
    # One of two is wrong. Found first: risks 1/2, 0, 0; found last: 1/2, 1/2, 0.
    assert augrc([0, 1, 1]) == pytest.approx((0.25 + 0.0) / 2)
    assert augrc([0, 0, 1]) == pytest.approx((0.5 + 0.25) / 2)


def test_where_nothing_is_wrong_there_is_nothing_to_gain():
    nothing = [0, 0, 0]

    assert normalised_gain(nothing, looked_share=0.5) == mean_normalised_gain(nothing) == augrc(nothing) == 0.0
