"""Whole days as witnesses: totals of days, groups that share a day, intervals that hold where images share errors."""

import numpy as np

from annotator.estimates.figures import Sample, catch_figures
from annotator.estimates.witnesses import whole_units
from annotator.plans.make import make_unit_plan, unit_probabilities, units_for
from db.domain.plans import PlanDesign, PlanUnit

NAMES = ("ALB", "NoF")


def test_a_day_counts_by_its_total_and_in_each_group_that_it_lies_in():
    units = np.array([0, 0, 1, 1, 2, 2])
    groups = np.array([0, 1, 0, 1, 0, 1])
    predicted = np.array([1.0, 1.0, 0.0, 2.0, 1.0, 1.0])

    found = whole_units(
        np.array([3.0, 1.0]),
        predicted,
        np.array([0.5, 0.5]),
        reviewed=np.array([0, 1]),
        free=np.ones(6, dtype=bool),
        groups=groups,
        units=units,
    )

    assert found.free.tolist() == [3, 3]
    assert found.of_group(0).truth.tolist() == [3.0] and found.of_group(1).truth.tolist() == [1.0]
    assert found.mean_probability == 1 / 3


def test_whole_days_are_drawn_with_all_their_images_one_after_the_other():
    units = np.repeat(np.arange(10), 7)
    design = PlanDesign(3, 0, 0, unit=PlanUnit.DAY, units=4)

    chosen = make_unit_plan(np.ones(70), units, np.zeros(10, dtype=np.int64), design)

    drawn = units[chosen.places]
    assert len(np.unique(drawn)) == 4 and len(drawn) == 28
    assert np.count_nonzero(np.diff(drawn)) == 3
    assert np.allclose(chosen.probability, 0.4)
    assert units_for(30, np.ones(70), units, floor_share=0.6) == 4


def test_intervals_of_whole_days_hold_although_the_images_of_a_day_share_their_errors():
    rng = np.random.default_rng(11)
    held = seasons = 0
    for season in range(120):
        days = 80
        units = np.repeat(np.arange(days), rng.integers(10, 30, days))
        fish = rng.binomial(1, 0.5, len(units))
        broken = rng.random(days) < 0.25  # on such a day the model sees nothing
        answered = np.where(broken[units], 0, fish).astype(np.float64)
        scores = rng.uniform(0.1, 1.0, len(units))
        design = PlanDesign(season, 0, 0, unit=PlanUnit.DAY, units=16)
        chosen = make_unit_plan(scores, units, np.zeros(days, dtype=np.int64), design)
        truth = np.stack([fish, np.zeros(len(fish))], axis=1).astype(np.float64)
        sample = Sample(
            names=NAMES,
            species=np.where(answered > 0, 0, 1),
            fish=answered,
            known=np.zeros(0, dtype=np.int64),
            known_truth=np.zeros((0, 2)),
            reviewed=chosen.places,
            reviewed_truth=truth[chosen.places],
            wrong=(answered != fish)[chosen.places].astype(np.float64),
            probability=chosen.probability,
            units=units,
        )
        [found] = catch_figures(sample, ("ALB",), np.zeros(len(units), dtype=np.int64))
        assert found.estimate is not None
        held += found.estimate.low <= fish.sum() <= found.estimate.high
        seasons += 1

    assert held / seasons >= 0.93


def test_probabilities_of_days_sum_to_the_days_drawn():
    found = unit_probabilities(np.arange(12.0), np.repeat(np.arange(4), 3), units_drawn=2, floor_share=0.5)

    assert found.sum() == 2.0 and found.argmax() == 3 and found.min() > 0.0
