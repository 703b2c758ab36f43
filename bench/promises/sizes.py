"""How many images a plan needs beside a plain random sample, for intervals of the same width."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from annotator.estimates.figures import Sample, catch_figures
from annotator.estimates.weighted_sums import Floats
from annotator.plans.expected import Aims
from bench.promises.play import design_of, plain_plan, plan_of, review, without_model
from bench.promises.seasons import Model, Season, draw_season

SIZES = (150, 250, 400, 650, 1_000, 1_600)
# Where the widths of both are compared: what a plain sample of this size gives.
PLAIN_SIZE = 1_000
# Of rarer species a plain sample of that size sees ten fish; the table shows them, too.
COMMON_ENOUGH = ("ALB", "BET", "OTHER", "SHARK", "YFT")

Reviewer = Callable[[Season, int, int], Sample]


def planned(species: str) -> Reviewer:
    """Return the review of a plan that is for a species' total."""
    aims = Aims((species,), missed=False)
    return lambda season, images, seed: review(season, plan_of(season, design_of(images, seed=seed), aims=aims))


def plain(season: Season, images: int, seed: int) -> Sample:
    """Return the review of a plain random sample, whose figures are made without a model."""
    return without_model(review(season, plain_plan(season, images, seed=seed)))


def widths(model: Model, species: str, reviewer: Reviewer, *, seasons: int) -> Floats:
    """Return the geometric mean of the relative half-widths of a species' total at each of `SIZES`. (sizes,)"""
    found = []
    for seed in range(seasons):
        season = draw_season(model, rng=np.random.default_rng([11, seed]))
        found.append([_width(reviewer(season, size, seed), species, season) for size in SIZES])
    return np.asarray(np.exp(np.mean(np.log(found), axis=0)))


def images_as_plain(planned_widths: Floats, plain_widths: Floats) -> float:
    """Return how many images a plan needs, for each one of a plain sample of `PLAIN_SIZE`; widths fall with size."""
    wanted = float(np.interp(PLAIN_SIZE, SIZES, plain_widths))
    return float(np.exp(np.interp(-np.log(wanted), -np.log(planned_widths), np.log(SIZES)))) / PLAIN_SIZE


def _width(sample: Sample, species: str, season: Season) -> float:
    figure = catch_figures(sample, (species,), np.zeros(len(season.answers), dtype=np.int64))[0]
    truth = float(season.truth[:, season.answers.names.index(species)].sum())
    assert figure.estimate is not None
    return figure.estimate.half_width / max(truth, 1.0)
