"""Catch figures of a job in arrays: groups, what cannot be had, and what nobody looked at."""

import numpy as np
import pytest

from annotator.estimates.figures import (
    ALL_FISH,
    Sample,
    catch_figures,
    confidence_of_plan,
    interval_by_group,
    missed_share,
    more_to_halve,
    more_to_shrink,
)
from annotator.estimates.so_far import probability_so_far
from db.domain.plans import PlanDesign

NAMES = ("ALB", "BET", "NoF")
NOWHERE = np.zeros(0, dtype=np.int64)


def job(*, reviewed: int, wrong_at: tuple[int, ...] = (), images: int = 100, known: int = 0) -> Sample:
    """A job whose every image is called one ALB; of the reviewed ones those at `wrong_at` are a BET."""
    truth = np.zeros((reviewed, 3))
    truth[:, 0] = 1.0
    truth[list(wrong_at)] = (0.0, 1.0, 0.0)
    known_truth = np.zeros((known, 3))
    known_truth[:, 0] = 1.0
    return Sample(
        names=NAMES,
        species=np.zeros(images, dtype=np.int64),
        fish=np.ones(images),
        known=np.arange(images - known, images),
        known_truth=known_truth,
        reviewed=np.arange(reviewed),
        reviewed_truth=truth,
        wrong=np.array([float(place in wrong_at) for place in range(reviewed)]),
        probability=np.full(reviewed, reviewed / (images - known)),
    )


def whole(sample: Sample) -> np.ndarray:
    return np.zeros(len(sample.species), dtype=np.int64)


def test_one_wrong_of_twenty_stands_for_five_of_a_hundred():
    sample = job(reviewed=20, wrong_at=(3,))

    alb, bet = catch_figures(sample, ("ALB", "BET"), whole(sample))

    assert alb.estimate is not None and bet.estimate is not None
    assert (alb.model, alb.said, alb.estimate.value) == (100.0, 19.0, pytest.approx(95.0))
    assert bet.estimate.value == pytest.approx(5.0) and bet.estimate.low >= 1.0


def test_a_species_that_nobody_saw_has_an_upper_end_and_no_lower_one():
    sample = job(reviewed=20)

    bet = catch_figures(sample, ("BET",), whole(sample))[0]

    assert bet.estimate is not None
    # The rule of three: 3.69 events that weigh 5 - 1 each.
    assert (bet.estimate.value, bet.estimate.low) == (0.0, 0.0)
    assert 10.0 < bet.estimate.high < 3.69 * 5


def test_groups_split_the_job_and_one_with_few_reviews_is_refused():
    sample = job(reviewed=20)
    groups = (np.arange(100) >= 16).astype(np.int64)

    first, second = catch_figures(sample, (ALL_FISH,), groups)

    assert (first.images, first.reviewed, second.images, second.reviewed) == (16, 16, 84, 4)
    assert first.estimate is not None and first.estimate.low == first.estimate.high == 16.0
    assert second.estimate is None


def test_a_group_that_was_known_before_needs_no_review():
    sample = job(reviewed=10, known=50)
    groups = (np.arange(100) >= 50).astype(np.int64)

    known = catch_figures(sample, (ALL_FISH,), groups)[1]

    assert known.estimate is not None and (known.estimate.low, known.estimate.high) == (50.0, 50.0)


def test_what_is_missed_is_told_of_the_images_that_nobody_saw():
    found = missed_share(job(reviewed=50, wrong_at=(0, 1)), np.zeros(100, dtype=np.int64))[0]

    assert (found.unseen, found.reviewed) == (50, 50)
    assert found.share is not None and found.share.value == pytest.approx(2 / 50)
    assert found.share.low < 0.04 < found.share.high < 0.2


def test_the_interval_comes_from_the_group_where_the_model_was_wrong():
    sample = job(reviewed=20, wrong_at=(3,))
    groups = (np.arange(100) >= 10).astype(np.int64)

    assert interval_by_group(sample, "ALB", groups).tolist() == [1.0, 0.0]


def test_halving_takes_about_four_times_the_images_and_less_where_few_are_left():
    assert more_to_halve(reviewed=100, images=1_000_000) == pytest.approx(300, abs=1)
    assert more_to_halve(reviewed=100, images=200) == 60
    assert more_to_shrink(reviewed=200, images=200, by=2.0) == 0


def test_plans_in_a_row_are_wrong_together_at_most_as_often_as_one_may_be():
    assert sum(1.0 - confidence_of_plan(number) for number in range(50)) <= 2 * 0.05


def test_a_half_reviewed_plan_counts_each_of_its_parts_by_what_was_answered():
    design = PlanDesign(seed=0, certain=4, drawn=10)
    certain = np.array([True, True, False, False, False, False, False])

    found = probability_so_far(np.where(certain, 1.0, 0.2), certain, design)

    assert found.tolist() == pytest.approx([0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
