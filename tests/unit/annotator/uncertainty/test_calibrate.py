"""The chance to be wrong, fitted on answers: what it learns, what it refuses, and what it leaves to the rule."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from annotator.uncertainty.calibrate import Answered, TooFewAnswers, _ranking, calibrate, fit_error_probability
from db.domain.error_probability import ErrorFit, chance_wrong, parts_of
from db.domain.predictions import Agreement


def answered(score: float, *, wrong: bool, camera: str = "a", species: str = "ALB", iou: float = 0.5) -> Answered:
    return Answered(Agreement(score, iou, 0.2, 0.3, 0.3, 0.8, 0.8, 1), species, camera, wrong)


def drawn(count: int, *, seed: int, rates: dict[str, float]) -> list[Answered]:
    """Answers of which each camera's share is wrong, whatever the agreement says."""
    rng = np.random.default_rng(seed)
    names = sorted(rates)
    return [
        answered(float(rng.uniform(0.2, 0.8)), wrong=bool(rng.uniform() < rates[camera]), camera=camera)
        for camera in rng.choice(names, count).tolist()
    ]


def chance_of(fit: ErrorFit, one: Answered) -> float:
    return float(chance_wrong(fit, parts_of([one.agreement]), species=[one.species], cameras=[one.camera])[0])


def test_few_answers_leave_the_order_of_the_rule():
    fit = fit_error_probability([answered(0.2, wrong=True), answered(0.3, wrong=False, species="BET")])

    chances = [chance_of(fit, answered(score, wrong=False, camera="new", species="YFT")) for score in (0.1, 0.5, 0.9)]
    assert chances == sorted(chances, reverse=True)


def test_a_camera_on_which_the_model_is_often_wrong_comes_first():
    fit = fit_error_probability(drawn(200, seed=1, rates={"good": 0.1, "bad": 0.8}))

    good, bad = (chance_of(fit, answered(0.5, wrong=False, camera=camera)) for camera in ("good", "bad"))
    assert good < 0.3 and bad > 0.6
    assert good < chance_of(fit, answered(0.5, wrong=False, camera="never seen")) < bad


def test_the_chance_is_calibrated_on_cameras_it_was_not_fitted_on():
    rng = np.random.default_rng(2)
    scores = rng.uniform(0.0, 1.0, 600)
    # The rule promises 1 - agreement; half of that is true.
    answers = [
        answered(float(score), wrong=bool(rng.uniform() < 0.5 * (1 - score)), camera=f"boat {place % 12}")
        for place, score in enumerate(scores)
    ]

    found = calibrate(answers)

    assert found.fit is not None and (found.answers, found.cameras, found.folds) == (600, 12, 5)
    assert found.fitted.calibration_error < 0.1 < found.rule.calibration_error
    assert found.fitted.log_loss < found.rule.log_loss
    assert found.fitted.ranking == pytest.approx(found.rule.ranking, abs=0.03)


def test_where_the_rule_is_as_good_no_fit_counts():
    rng = np.random.default_rng(3)
    scores = rng.uniform(0.0, 1.0, 80)
    answers = [
        answered(float(score), wrong=bool(rng.uniform() < 1 - score), camera=f"boat {place % 4}")
        for place, score in enumerate(scores)
    ]

    # Exactly as the rule promises; with 80 answers what a fit adds is noise.
    assert calibrate(answers).fit is None


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        pytest.param(drawn(29, seed=1, rates={"a": 0.5, "b": 0.5}), "29 answers of 2 cameras", id="few"),
        pytest.param(drawn(60, seed=1, rates={"a": 0.5}), "wanted two cameras", id="one camera"),
        pytest.param(drawn(60, seed=1, rates={"a": 1.0, "b": 1.0}), "5 wrong and 5 right ones", id="all wrong"),
        pytest.param([], "0 answers of 0 cameras", id="none"),
    ],
)
def test_answers_that_tell_nothing_are_refused_with_what_is_wanted(answers, text):
    with pytest.raises(TooFewAnswers, match=text):
        calibrate(answers)


def test_the_ranking_is_the_share_of_pairs_in_order_and_takes_no_matrix_of_them() -> None:
    rng = np.random.default_rng(3)
    chances, wrong = rng.integers(0, 5, 40) / 5.0, rng.random(40) < 0.4
    pairs = [1.0 if bad > good else 0.5 if bad == good else 0.0 for bad in chances[wrong] for good in chances[~wrong]]

    assert _ranking(chances, wrong) == pytest.approx(np.mean(pairs))

    many, kinds = rng.random(100_000), rng.random(100_000) < 0.5
    tracemalloc.start()
    _ranking(many, kinds)
    peak_mib = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert peak_mib < 50
