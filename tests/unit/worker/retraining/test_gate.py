"""The gate says yes to better candidates and no to worse ones, for the right reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worker.retraining.gate import GateAnswers, GateRule, decide
from worker.training.paired_bootstrap import Resampled, paired_bootstrap

SPECIES = ("ALB", "BET", "NoF")
RULE = GateRule(level=0.9, species_drop=0.1, calibration_slack=0.02)
CAMERAS = 6
IMAGES = 240


def _answers(truth: np.ndarray, *, right: float, sure: float, seed: int) -> np.ndarray:
    """Distributions that favour the true species in this share of the images, with this probability."""
    rng = np.random.default_rng(seed)
    hit = rng.random(len(truth)) < right
    chosen = np.where(hit, truth, (truth + rng.integers(1, 3, len(truth))) % 3)
    answers = np.full((len(truth), 3), (1.0 - sure) / 2)
    answers[np.arange(len(truth)), chosen] = sure
    return answers


def _evaluated(*, champion: np.ndarray, candidate: np.ndarray, cameras: int = CAMERAS) -> GateAnswers:
    names = [f"camera {number % cameras}" for number in range(IMAGES)]
    return GateAnswers(SPECIES, _truth(), names, champion, candidate)


def _truth() -> np.ndarray:
    return np.arange(IMAGES) // CAMERAS % 3


GOOD = _answers(_truth(), right=0.8, sure=0.8, seed=1)
POOR = _answers(_truth(), right=0.5, sure=0.5, seed=2)


def test_a_better_candidate_is_promoted() -> None:
    verdict = decide(_evaluated(champion=POOR, candidate=GOOD), RULE)

    assert verdict.promoted and verdict.bootstrap.resampled is Resampled.CAMERAS
    assert verdict.bootstrap.low > 0 and verdict.reason.startswith("better; log loss")


def test_a_worse_candidate_is_refused() -> None:
    verdict = decide(_evaluated(champion=GOOD, candidate=POOR), RULE)

    assert not verdict.promoted
    assert verdict.objections[0] == "not surely better" and verdict.bootstrap.gain < 0


def test_a_champion_that_learnt_from_the_evaluated_images_is_told_of() -> None:
    verdict = decide(replace(_evaluated(champion=GOOD, candidate=POOR), champion_saw=True), RULE)

    assert "the champion has learnt from these images (--final-fit)" in verdict.reason
    assert "--final-fit" not in decide(_evaluated(champion=GOOD, candidate=POOR), RULE).reason


def test_the_same_answers_are_not_better() -> None:
    verdict = decide(_evaluated(champion=GOOD, candidate=GOOD.copy()), RULE)

    assert verdict.objections == ("not surely better",)


def test_what_is_better_on_one_camera_alone_is_not_surely_better() -> None:
    candidate = POOR.copy()
    first = np.arange(IMAGES) % CAMERAS == 0
    candidate[first] = GOOD[first]
    worse = np.arange(IMAGES) % CAMERAS == 1
    candidate[worse] = _answers(_truth(), right=0.35, sure=0.5, seed=3)[worse]

    verdict = decide(_evaluated(champion=POOR, candidate=candidate), RULE)

    assert verdict.bootstrap.gain > 0
    assert "not surely better" in verdict.objections


def test_a_species_that_falls_keeps_a_better_candidate_from_serving() -> None:
    truth = _truth()
    champion = _answers(truth, right=0.7, sure=0.6, seed=4)
    candidate = _answers(truth, right=0.95, sure=0.85, seed=5)
    bets = np.flatnonzero(truth == 1)
    candidate[bets[:50]] = [0.45, 0.40, 0.15]  # narrowly missed, so that the log loss hardly minds

    verdict = decide(_evaluated(champion=champion, candidate=candidate), RULE)

    assert verdict.bootstrap.better
    assert len(verdict.objections) >= 1 and verdict.objections[0].startswith("BET falls below its floor")


def test_one_image_of_a_rare_species_is_no_fall() -> None:
    truth = np.where(np.arange(IMAGES) < 3, 1, 0)
    champion, candidate = _answers(truth, right=1.0, sure=0.6, seed=0), _answers(truth, right=1.0, sure=0.9, seed=0)
    candidate[0] = [0.5, 0.4, 0.1]
    evaluated = replace(_evaluated(champion=champion, candidate=candidate), truth=truth)

    assert not [text for text in decide(evaluated, RULE).objections if "floor" in text]
    candidate[1] = [0.5, 0.4, 0.1]
    assert [text for text in decide(evaluated, RULE).objections if "floor" in text]


def test_a_candidate_that_is_more_often_right_but_far_too_sure_is_refused() -> None:
    champion = _answers(_truth(), right=0.60, sure=0.6, seed=6)
    candidate = _answers(_truth(), right=0.80, sure=0.97, seed=6)

    verdict = decide(_evaluated(champion=champion, candidate=candidate), RULE)

    assert any(text.startswith("calibration error") for text in verdict.objections)


@pytest.mark.parametrize("cameras", [1, 2])
def test_with_few_cameras_images_are_drawn_and_more_is_asked_for(cameras: int) -> None:
    verdict = decide(_evaluated(champion=POOR, candidate=GOOD, cameras=cameras), RULE)

    assert verdict.bootstrap.resampled is Resampled.IMAGES
    assert verdict.bootstrap.level == pytest.approx(0.95)
    assert verdict.promoted and "these cameras alone" in verdict.reason
    assert not decide(_evaluated(champion=GOOD, candidate=POOR, cameras=cameras), RULE).promoted


def test_a_bootstrap_over_cameras_is_wider_than_one_that_takes_images_for_independent() -> None:
    # All images of a camera say the same: six witnesses, not six hundred.
    gains = np.repeat([0.5, -0.4, 0.3, -0.3, 0.4, 0.1], 100)
    cameras = [f"camera {number // 100}" for number in range(600)]

    by_camera = paired_bootstrap(gains, np.zeros(600), cameras, level=0.9)
    by_image = paired_bootstrap(gains, np.zeros(600), ["one"] * 600, level=0.9)

    assert by_camera.gain == pytest.approx(by_image.gain) == pytest.approx(0.1)
    assert by_camera.high - by_camera.low > 5 * (by_image.high - by_image.low)
    assert not by_camera.better and by_image.better
