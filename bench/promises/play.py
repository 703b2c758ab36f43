"""Plays one season: a plan, a person who knows the truth, and the figures as `cli summary` makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from annotator.estimates.figures import ALL_FISH, Sample, catch_figures, confidence_of_plan, missed_share
from annotator.estimates.weighted_sums import Floats
from annotator.plans.expected import Aims, Codes, Confusion, confusion_from, scores_for
from annotator.plans.forecast import images_for_missed
from annotator.plans.make import Chosen, make_plan
from bench.promises.seasons import NAMES, NO_FISH, Season
from db.domain.estimates import Estimate
from db.domain.plans import FLOOR_SHARE, PlanDesign, Target

SPECIES = tuple(name for name in NAMES if name != NAMES[NO_FISH])
FIGURES = (*SPECIES, ALL_FISH)
WRONG = "missed"
EVERYTHING = Aims(SPECIES, missed=True)
_NOTHING = np.zeros(0, dtype=np.int64)
# As how many wrong answers the level that a camera was first told to have counts.
_ANSWERS_OF_DOUBT = 2.0


@dataclass(frozen=True)
class Outcome:
    """One figure of a season. covered: whether its interval holds the truth; None where the figure was refused."""

    figure: str
    by: str
    truth: float
    estimate: Estimate | None

    @property
    def covered(self) -> bool | None:
        """Whether the interval holds the truth."""
        return None if self.estimate is None else self.estimate.low <= self.truth <= self.estimate.high


# From a season, what a plan chose and the groups asked for, the figures of every group: figure -> group -> estimate.
Estimator = Callable[[Sample, tuple[str, ...], Codes], dict[tuple[str, int], Estimate | None]]


def ours(sample: Sample, figures: tuple[str, ...], groups: Codes) -> dict[tuple[str, int], Estimate | None]:
    """Return the figures as the summary makes them."""
    found = {(one.figure, one.group): one.estimate for one in catch_figures(sample, figures, groups)}
    return found | {(WRONG, one.group): one.share for one in missed_share(sample, groups)}


def confusion_of(season: Season) -> Confusion:
    """Return where wrong answers are taken to belong before anybody reviewed one."""
    size = len(NAMES)
    named = np.bincount(season.answers.species, minlength=size).astype(np.float64)
    return confusion_from(NAMES, named, np.zeros((size, size)))


def plan_of(season: Season, design: PlanDesign, *, aims: Aims = EVERYTHING) -> Chosen:
    """Return a plan of the whole season."""
    answers = season.answers
    scores = scores_for(answers, confusion_of(season), aims)
    return make_plan(answers.error_probability, scores, answers.camera * 1_000 + answers.day, design)


def plain_plan(season: Season, images: int, *, seed: int) -> Chosen:
    """Return a plain random sample."""
    places = np.random.default_rng(seed).choice(len(season.answers), images, replace=False)
    return Chosen(places, np.full(images, images / len(season.answers)), np.zeros(images, dtype=bool))


def review(season: Season, chosen: Chosen, *, known: Codes = _NOTHING) -> Sample:
    """Return what a person who knows the truth makes of a plan."""
    return Sample(
        names=NAMES,
        species=season.answers.species,
        fish=season.answers.fish,
        known=known,
        known_truth=season.truth[known],
        reviewed=chosen.places,
        reviewed_truth=season.truth[chosen.places],
        wrong=season.wrong[chosen.places],
        probability=chosen.probability,
    )


def without_model(sample: Sample) -> Sample:
    """Return the same review for somebody who has no model."""
    return replace(sample, fish=np.zeros(len(sample.fish)))


def outcomes(season: Season, sample: Sample, estimator: Estimator, *, by: str) -> list[Outcome]:
    """Return every figure of every camera, day, or the whole job, beside the truth."""
    groups = {"job": np.zeros(len(season.answers), dtype=np.int64), "camera": season.answers.camera}.get(
        by, season.answers.day
    )
    unseen = np.ones(len(season.answers), dtype=bool)
    unseen[sample.reviewed] = unseen[sample.known] = False
    found = estimator(sample, FIGURES, groups)
    return [
        Outcome(figure, by, _truth(season, figure, groups == group, unseen), one)
        for (figure, group), one in found.items()
    ]


def _truth(season: Season, figure: str, there: np.ndarray, unseen: np.ndarray) -> float:
    if figure == WRONG:
        left = season.wrong[there & unseen]
        return float(left.mean()) if len(left) else 0.0
    if figure == ALL_FISH:
        return float(season.truth[there].sum())
    return float(season.truth[there, NAMES.index(figure)].sum())


@dataclass(frozen=True)
class Promise:
    """What became of a promised miss rate. images: reviewed in all plans. declared: the bound was reached.

    kept: the true share among the images that nobody looked at is at most the target.
    """

    images: int
    plans: int
    declared: bool
    kept: bool


def keep_missed(season: Season, target: Target, *, seed: int, at_most: int = 4) -> Promise:
    """Return what comes of a plan for a miss rate, and of further ones until its bound is reached."""
    known, error = _NOTHING, season.answers.error_probability
    whole = np.zeros(len(season.answers), dtype=np.int64)
    for number in range(at_most):
        left = np.setdiff1d(np.arange(len(season.answers)), known)
        falling = left[np.argsort(-error[left])]
        asked = images_for_missed(error[falling], target)
        assert asked is not None, "all images reviewed always reach it"
        design = PlanDesign(seed + number, *asked, floor_share=1.0)
        there = make_plan(error[left], np.zeros(len(left)), season.answers.camera[left], design)
        chosen = Chosen(left[there.places], there.probability, there.certain)
        sample = review(season, chosen, known=known)
        bound = missed_share(sample, whole, confidence=confidence_of_plan(number))[0].share
        known = np.union1d(known, chosen.places)
        if bound is not None and bound.high <= target.share:
            break
        error = _learnt(error, season, chosen)
    unseen = np.setdiff1d(np.arange(len(season.answers)), known)
    share = float(season.wrong[unseen].mean()) if len(unseen) else 0.0
    reached = bound is not None and bound.high <= target.share
    return Promise(len(known), number + 1, reached, share <= target.share)


def _learnt(error: Floats, season: Season, chosen: Chosen) -> Floats:
    """Return the error probabilities, each camera's level moved to what the review of a plan found there.

    As the fit of `cli review import` does it: a camera with few answers keeps its level.
    """
    camera, places = season.answers.camera, chosen.places
    stated, found = (
        np.bincount(camera[places], weights=of[places], minlength=camera.max() + 1) for of in (error, season.wrong)
    )
    moved = (found + _ANSWERS_OF_DOUBT) / (stated + _ANSWERS_OF_DOUBT)
    odds = error / (1.0 - np.clip(error, 0.0, 0.999)) * moved[camera]
    return np.asarray(odds / (1.0 + odds))


def design_of(images: int, *, seed: int, certain_share: float = 0.0) -> PlanDesign:
    """Return the design of a plan of some images."""
    certain = round(certain_share * images)
    return PlanDesign(seed, certain, images - certain, FLOOR_SHARE)
