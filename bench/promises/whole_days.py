"""Seasons reviewed by whole days: each day one witness, beside resampled days and images taken for independent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from annotator.estimates.figures import Sample
from annotator.estimates.resample import cluster_bootstrap
from annotator.estimates.weighted_sums import Floats
from annotator.plans.draw import Codes
from annotator.plans.expected import scores_for
from annotator.plans.make import make_unit_plan
from bench.promises.play import EVERYTHING, FIGURES, Outcome, confusion_of, ours, outcomes, review
from bench.promises.seasons import Season
from db.domain.estimates import Estimate
from db.domain.plans import PlanDesign, PlanUnit

WHOLE_DAYS = "whole days"
RESAMPLED = "whole days, cluster bootstrap"
DAYS_INDEPENDENT = "whole days, images as independent"
DAYS_DRAWN = 60


def day_outcomes(season: Season, *, seed: int) -> dict[str, list[Outcome]]:
    """Return the figures of the whole job from some of its days, by each way to make them."""
    answers = season.answers
    units = np.unique(answers.camera * 1_000 + answers.day, return_inverse=True)[1].reshape(-1)
    camera = np.zeros(int(units.max()) + 1, dtype=np.int64)
    camera[units] = answers.camera
    design = PlanDesign(seed, 0, 0, unit=PlanUnit.DAY, units=min(DAYS_DRAWN, len(camera)))
    scores = scores_for(answers, confusion_of(season), EVERYTHING)
    alone = review(season, make_unit_plan(scores, units, camera, design))
    sample = replace(alone, units=units)
    return {
        WHOLE_DAYS: outcomes(season, sample, ours, by="job"),
        RESAMPLED: outcomes(season, sample, _resampled, by="job"),
        DAYS_INDEPENDENT: outcomes(season, alone, ours, by="job"),
    }


def _resampled(sample: Sample, figures: tuple[str, ...], groups: Codes) -> dict[tuple[str, int], Estimate | None]:
    """Return the figures with intervals of days drawn anew; of the whole job only."""
    return {(figure, 0): _figure(sample, figure, groups) for figure in figures if figure in FIGURES}


def _figure(sample: Sample, figure: str, groups: Codes) -> Estimate:
    predicted = sample.predicted(figure)
    days = sample.witnesses(sample.truth(figure)[1], predicted, groups)
    expanded: Floats = (days.rows.truth - days.rows.predicted) / days.rows.probability
    rng = np.random.default_rng(len(expanded))
    found = cluster_bootstrap(expanded, rng=rng, drawn_share=len(expanded) / int(days.free[0]))
    return found.shifted(float(predicted.sum()))
