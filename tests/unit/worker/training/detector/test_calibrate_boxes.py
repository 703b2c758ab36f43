"""What a box's score means: fitted where boxes are many, the usual curve where they are few."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from db.domain.box_confidence import UNFITTED
from worker.training.detector.calibrate_boxes import CountedBoxes, calibration_error, fit_box_confidence


def _boxes(count: int, *, slope: float, offset: float, cameras: int, seed: int = 0) -> CountedBoxes:
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.02, 0.7, count)
    hits = rng.random(count) < expit(slope * logit(scores) + offset)
    return CountedBoxes(scores, hits, [f"camera{place % cameras}" for place in range(count)], images=count // 3)


def test_many_boxes_of_many_cameras_speak_for_themselves() -> None:
    evaluated = _boxes(3000, slope=2.0, offset=0.5, cameras=50)

    curve = fit_box_confidence(evaluated)

    chances = [curve.of(float(score)) for score in evaluated.scores]
    assert calibration_error(chances, evaluated.hits) < 0.04
    assert (curve.boxes, curve.cameras) == (3000, 50)


def test_a_few_boxes_of_one_camera_hardly_move_the_usual_curve() -> None:
    curve = fit_box_confidence(CountedBoxes(np.array([0.5, 0.4, 0.3]), np.array([False] * 3), ["a"] * 3, images=1))

    assert 0.3 < curve.of(0.3) < UNFITTED.of(0.3)


def test_one_camera_of_a_thousand_frames_counts_as_sixty_boxes() -> None:
    one = fit_box_confidence(_boxes(3000, slope=2.0, offset=3.0, cameras=1))
    many = fit_box_confidence(_boxes(3000, slope=2.0, offset=3.0, cameras=50))

    assert abs(one.offset - UNFITTED.offset) < abs(many.offset - UNFITTED.offset)


def test_nothing_to_fit_on_gives_the_usual_curve() -> None:
    assert fit_box_confidence(CountedBoxes(np.zeros(0), np.zeros(0, dtype=bool), [], images=9)) == UNFITTED


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_every_score_has_a_chance(score: float) -> None:
    assert 0.0 <= UNFITTED.of(score) <= 1.0


def test_an_images_first_three_boxes_are_kept_on_a_camera_where_all_scores_are_low() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.uniform(0.3, 0.6, 300), rng.uniform(0.05, 0.15, 1700)])
    hits = np.concatenate([np.ones(300, dtype=bool), rng.random(1700) < 0.2])
    curve = fit_box_confidence(CountedBoxes(scores, hits, [f"c{n % 40}" for n in range(2000)], images=100))

    kept = [curve.keeps(curve.of(0.06), before=place) for place in range(4)]

    assert kept == [True, True, True, False]


def test_a_level_is_found_below_which_nothing_was_a_fish() -> None:
    scores = np.concatenate([np.full(300, 0.5), np.full(1700, 0.012)])
    hits = np.concatenate([np.ones(300, dtype=bool), np.zeros(1700, dtype=bool)])
    curve = fit_box_confidence(CountedBoxes(scores, hits, [f"c{n % 40}" for n in range(2000)], images=100))

    assert not curve.keeps(curve.of(0.012), before=0)


def test_a_camera_of_weak_scores_keeps_its_boxes_though_the_held_out_ones_were_clear() -> None:
    """Real fish scored 0.59 on one camera and 0.15 and less on another, so a steep curve must not drop the latter's."""
    curve = fit_box_confidence(_boxes(3000, slope=2.5, offset=3.5, cameras=50))

    assert curve.keeps(curve.of(0.03), before=2)
