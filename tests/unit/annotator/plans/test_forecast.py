"""Forecasts: more images never widen an interval, targets are reached, and what is expected of wrong answers."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from annotator.plans.draw import inclusion_probabilities
from annotator.plans.expected import Aims, Answers, confusion_from, expected_totals, scores_for
from annotator.plans.forecast import drawn_for_total, forecast_missed, forecast_total, images_for_missed, sizes_to_show
from annotator.plans.make import make_plan, probabilities_of
from annotator.plans.pace import ASSUMED_S, pace_of
from db.domain.plans import PlanDesign, Target, target_from

NAMES = ("ALB", "BET", "NoF")


def answers(images: int = 2_000, *, error: float = 0.1) -> Answers:
    """Two thirds ALB, a tenth BET, the rest empty; each as likely wrong."""
    species = np.resize(np.array([0] * 6 + [1] + [2] * 3), images)
    return Answers(
        NAMES,
        species,
        np.where(species == 2, 0.0, 1.0),
        np.full(images, error),
        np.arange(images) % 7,
        np.zeros(images, dtype=np.int64),
    )


def confusion():
    return confusion_from(NAMES, np.array([6.0, 1.0, 3.0]), np.zeros((3, 3)))


def test_wrong_answers_belong_to_what_is_often_named_until_reviews_tell():
    before = confusion_from(NAMES, np.array([6.0, 1.0, 3.0]), np.zeros((3, 3))).shares
    reviews = np.zeros((3, 3))
    reviews[0, 1] = 95.0
    after = confusion_from(NAMES, np.array([6.0, 1.0, 3.0]), reviews).shares

    assert before.sum(axis=1) == pytest.approx(1.0) and np.diag(before).tolist() == [0.0, 0.0, 0.0]
    assert before[0, 2] > before[0, 1]
    assert after[0, 1] > 0.95


def test_an_image_of_the_species_asked_for_is_worth_more_than_one_that_may_hide_it():
    scores = scores_for(answers(), confusion(), Aims(("BET",), missed=False))

    assert scores[6] > 1.9 * scores[0] > 0.0


def test_more_images_make_the_forecast_narrower_and_all_of_them_make_it_sure():
    held, mixed = answers(), confusion()
    scores = scores_for(held, mixed, Aims(("BET",), missed=False))

    widths = [
        forecast_total(held, mixed, inclusion_probabilities(scores, size=size, floor_share=0.6), "BET").half_width
        for size in (50, 200, 800, 2_000)
    ]

    assert widths == sorted(widths, reverse=True) and widths[-1] == pytest.approx(0.0, abs=1e-6)
    assert expected_totals(held, mixed).sum() <= 2_000


def test_the_size_for_a_target_reaches_it_and_hardly_fewer_do():
    held, mixed = answers(), confusion()
    target = target_from("BET:20%")
    scores = scores_for(held, mixed, Aims(("BET",), missed=False))

    size = drawn_for_total(held, mixed, scores, target, floor_share=0.6, most=2_000)

    def reached(images: int) -> bool:
        found = forecast_total(held, mixed, inclusion_probabilities(scores, size=images, floor_share=0.6), "BET")
        return found.half_width <= 0.2 * found.value

    assert size is not None and reached(size) and not reached(round(0.95 * size))


def test_a_miss_rate_takes_the_likeliest_wrong_for_certain_and_proves_the_rest():
    error = np.sort(np.concatenate([np.full(200, 0.8), np.full(1_800, 0.005)]))[::-1]

    found = images_for_missed(error, Target("missed", 0.05))

    assert found is not None
    certain, drawn = found
    assert 180 <= certain <= 240 and 60 <= drawn <= 200


def test_a_miss_rate_that_only_everything_reaches_takes_everything():
    assert images_for_missed(np.full(40, 0.9), Target("missed", 0.01)) in {(40, 0), None}


def test_the_forecast_of_what_is_missed_is_the_mean_error_of_what_is_left():
    error = np.full(1_000, 0.1)

    found = forecast_missed(error, probabilities_of(error, np.ones(1_000), PlanDesign(0, 100, 200)))

    assert found.value == pytest.approx(0.1) and found.low < 0.1 < found.high


def test_a_plan_has_its_certain_part_and_an_order_that_tells_nothing():
    error = np.linspace(0.0, 1.0, 100)

    chosen = make_plan(error, np.ones(100), np.zeros(100, dtype=np.int64), PlanDesign(7, certain=10, drawn=20))

    assert set(chosen.places[chosen.certain].tolist()) == set(range(90, 100))
    assert len(set(chosen.places.tolist())) == 30
    assert not chosen.certain[:10].all()
    assert chosen.probability[~chosen.certain] == pytest.approx(20 / 90)


def test_a_plan_of_more_images_than_there_are_is_refused():
    with pytest.raises(ValueError, match="cannot be drawn from 3"):
        make_plan(np.ones(3), np.ones(3), np.zeros(3, dtype=np.int64), PlanDesign(0, 2, 2))


@pytest.mark.parametrize("text", ["BET", "BET:20", "BET:0%", "BET:100%", ":5%", "BET:x%"])
def test_what_is_no_target_is_refused(text: str):
    with pytest.raises(ValueError, match="wanted"):
        target_from(text)


def test_a_curve_shows_no_more_images_than_there_are():
    assert sizes_to_show(100, most=120)[-1] == 120


def test_the_pace_is_the_median_gap_of_one_persons_answers_without_pauses():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    gaps_s = [12, 12, 14, 12, 9, 12, 12, 4_000, 12, 12, 12, 12]
    moments = [("e", "ana", start + timedelta(seconds=sum(gaps_s[:place]))) for place in range(len(gaps_s) + 1)]

    measured = pace_of(moments)

    assert (measured.seconds, measured.gaps) == (12, 11)
    assert measured.images(1.0) == 300 and measured.hours(300) == pytest.approx(1.0)
    assert pace_of(moments[:5]).seconds == ASSUMED_S
