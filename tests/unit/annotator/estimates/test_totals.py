"""Totals from reviewed samples: unbiased, as narrow as the model deserves, and the same as a known library's."""

import numpy as np
import pytest

from annotator.estimates.totals import DIFFERENCE, Frame, Reviewed, estimate_total, fit_control, variance_parts


def sample(truth: list[float], predicted: list[float], probability: float) -> Reviewed:
    return Reviewed(np.array(truth), np.array(predicted), np.full(len(truth), probability))


def test_a_total_by_hand():
    # 100 images, every tenth reviewed; the model says 50 fish, and of ten it saw one where there is none.
    reviewed = sample([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0, 0, 0], 0.1)

    found = estimate_total(reviewed, Frame(images=100, predicted=50.0, event_size=1.0, mean_probability=0.1))

    # 45 predicted among the 90 unseen, of which the one false fish stands for nine; 4 seen for sure.
    assert found.value == pytest.approx(45 - 9 + 4)
    assert 4.0 <= found.low < found.value < found.high


def test_images_that_all_were_reviewed_leave_nothing_open():
    reviewed = sample([1, 0, 2], [1, 1, 1], 1.0)

    found = estimate_total(reviewed, Frame(images=3, predicted=3.0, event_size=1.0, mean_probability=1.0), known=5.0)

    assert (found.low, found.value, found.high) == (8.0, 8.0, 8.0)


def test_over_all_draws_that_could_be_the_estimate_is_right():
    rng = np.random.default_rng(1)
    truth, predicted = rng.poisson(0.4, 400).astype(float), rng.poisson(0.4, 400).astype(float)
    probability = rng.uniform(0.05, 0.6, 400)
    frame = Frame(400, float(predicted.sum()), 1.0, float(probability.mean()))

    found = []
    for _ in range(3_000):
        drawn = rng.random(400) < probability
        reviewed = Reviewed(truth[drawn], predicted[drawn], probability[drawn])
        found.append(estimate_total(reviewed, frame).value)

    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(truth.sum(), abs=4 * error)


def test_a_model_that_says_nothing_gets_no_weight_and_a_perfect_one_all():
    rng = np.random.default_rng(0)
    truth = rng.poisson(0.5, 200).astype(float)
    noise = rng.poisson(0.5, 200).astype(float)

    assert fit_control(Reviewed(truth, noise, np.full(200, 0.1))).weight < 0.2
    assert fit_control(Reviewed(truth, truth, np.full(200, 0.1))) == DIFFERENCE


def test_few_deviations_fit_nothing():
    assert fit_control(sample([1.0] * 19 + [0.0], [0.0] * 19 + [0.0], 0.1)) == DIFFERENCE


def test_where_draws_are_alike_the_estimate_is_that_of_ppi_python():
    """ppi-python knows independent draws only; it counts reviewed images apart, so its weight is that of the rest."""
    from ppi_py import ppi_mean_pointestimate

    reviewed, frame, others = a_season_drawn_alike(images=5_000, reviewed=500)
    control = fit_control(reviewed)

    theirs = ppi_mean_pointestimate(reviewed.truth, reviewed.predicted, others, lam=control.weight * 0.9)
    ours = estimate_total(reviewed, frame, control=control).value / 5_000

    assert ours == pytest.approx(float(theirs[0]), rel=1e-9)


def test_where_draws_are_alike_the_fitted_weight_is_that_of_ppi_python():
    from ppi_py import ppi_mean_pointestimate

    reviewed, _, others = a_season_drawn_alike(images=50_000, reviewed=5_000)

    tuned, without, full = (
        float(ppi_mean_pointestimate(reviewed.truth, reviewed.predicted, others, lam=lam)[0]) for lam in (None, 0, 1)
    )
    their_weight = (tuned - without) / (full - without)

    # They take the predictions' spread from all images, we from the reviewed ones alone.
    assert fit_control(reviewed).weight * 0.9 == pytest.approx(their_weight, rel=0.05)


def a_season_drawn_alike(*, images: int, reviewed: int) -> tuple[Reviewed, Frame, np.ndarray]:
    """Return the reviewed images, the frame, and the predictions of those that nobody saw."""
    rng = np.random.default_rng(3)
    truth = rng.poisson(0.6, images).astype(float)
    predicted = np.where(rng.random(images) < 0.6, truth, rng.poisson(0.6, images)).astype(float)
    drawn = np.zeros(images, dtype=bool)
    drawn[rng.choice(images, reviewed, replace=False)] = True
    share = reviewed / images
    sampled = Reviewed(truth[drawn], predicted[drawn], np.full(reviewed, share))
    return sampled, Frame(images, float(predicted.sum()), 1.0, share), predicted[~drawn]


def test_the_parts_of_the_variance_belong_to_images_that_the_model_got_wrong():
    parts = variance_parts(sample([1, 0], [1, 1], 0.25))

    # 4 x 3 x 1 for the false fish.
    assert parts.tolist() == [0.0, 12.0]


def test_an_image_that_could_not_be_drawn_is_refused():
    with pytest.raises(ValueError, match="could not be drawn"):
        sample([1.0], [1.0], 0.0)
