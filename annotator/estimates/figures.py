"""The catch figures of a job: by group and species what the model says, what people said, and the estimate of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotator.estimates.totals import (
    CONFIDENCE,
    DIFFERENCE,
    Control,
    Frame,
    Reviewed,
    estimate_total,
    fit_control,
    variance_parts,
)
from annotator.estimates.weighted_sums import Floats
from annotator.estimates.witnesses import Codes, Witnesses, single_images, whole_units
from db.domain.estimates import Estimate

ALL_FISH = "all fish"
# With fewer, an interval says more of our assumptions than of the images.
FEWEST_REVIEWS = 5


@dataclass(frozen=True)
class Sample:
    """A job's images as a plan found them, and what people said of some.

    names: (S,) the species. species: (N,) places in names, fish: (N,) how many of it the model says.
    known: (k,) places of images that people had decided on before the draw.
    reviewed: (n,) places of images of the plan that people decided on, probability (n,) of each to be among them.
    known_truth (k, S), reviewed_truth (n, S): fish by species. wrong: (n,) whether the answer was wrong, 0 or 1.
    units: (N,) the whole unit that each image was drawn with, codes; None where images were drawn one by one.
    shares: (N, S) what the model says of each image where that is not a number of fish of one species. typical: the
    least that one more fish is taken to add to an image.
    """

    names: tuple[str, ...]
    species: Codes
    fish: Floats
    known: Codes
    known_truth: Floats
    reviewed: Codes
    reviewed_truth: Floats
    wrong: Floats
    probability: Floats
    units: Codes | None = None
    shares: npt.NDArray[np.floating] | None = None
    typical: float = 1.0

    def predicted(self, figure: str) -> Floats:
        """Return the model's number for each image. (N,)"""
        if self.shares is not None:
            place = slice(None) if figure == ALL_FISH else [self.names.index(figure)]
            return np.asarray(self.shares[:, place].sum(axis=1), dtype=np.float64)
        if figure == ALL_FISH:
            return self.fish
        return np.where(self.species == self.names.index(figure), self.fish, 0.0)

    def truth(self, figure: str) -> tuple[Floats, Floats]:
        """Return people's numbers of the images known before, and of the reviewed ones. (k,), (n,)"""
        if figure == ALL_FISH:
            return self.known_truth.sum(axis=1), self.reviewed_truth.sum(axis=1)
        place = self.names.index(figure)
        return self.known_truth[:, place], self.reviewed_truth[:, place]

    def witnesses(self, truth: Floats, predicted: Floats, groups: Codes) -> Witnesses:
        """Return what a figure stands on. truth: (n,) of the reviewed images; predicted, groups: (N,) of all."""
        free = np.ones(len(groups), dtype=bool)
        free[self.known] = False
        if self.units is None:
            return single_images(
                truth,
                predicted,
                self.probability,
                reviewed=self.reviewed,
                free=free,
                groups=groups,
                typical=self.typical,
            )
        return whole_units(
            truth,
            predicted,
            self.probability,
            reviewed=self.reviewed,
            free=free,
            groups=groups,
            units=self.units,
            typical=self.typical,
        )


@dataclass(frozen=True)
class Figure:
    """One figure of one group. model: what the model alone says of all images. said: what people said of theirs.

    estimate: None where it cannot be had. reviewed: images of the plan that people decided on; known: before it.
    """

    group: int
    figure: str
    images: int
    known: int
    reviewed: int
    model: float
    said: float
    estimate: Estimate | None


@dataclass(frozen=True)
class Missed:
    """The wrong answers among the images of a group that nobody has looked at. share: None where it cannot be had."""

    group: int
    unseen: int
    reviewed: int
    share: Estimate | None


def catch_figures(
    sample: Sample, figures: tuple[str, ...], groups: Codes, *, confidence: float = CONFIDENCE
) -> list[Figure]:
    """Return every figure of every group. groups: (N,) codes 0..G-1."""
    count = int(groups.max(initial=-1)) + 1
    images, known, reviewed = (
        np.bincount(of, minlength=count) for of in (groups, groups[sample.known], groups[sample.reviewed])
    )
    found = []
    for figure in figures:
        predicted, (before, truth) = sample.predicted(figure), sample.truth(figure)
        totals = np.bincount(groups, weights=predicted, minlength=count)
        predicted_known = np.bincount(groups[sample.known], weights=predicted[sample.known], minlength=count)
        said_before = np.bincount(groups[sample.known], weights=before, minlength=count)
        said = np.bincount(groups[sample.reviewed], weights=truth, minlength=count)
        drawn = sample.witnesses(truth, predicted, groups)
        control = fit_control(drawn.rows)
        for group in range(count):
            frame = drawn.frame(group, float(totals[group] - predicted_known[group]))
            there, held = drawn.of_group(group), float(said_before[group])
            estimate = _estimate(there, frame, control, held, confidence=confidence)
            found.append(
                Figure(
                    group=group,
                    figure=figure,
                    images=int(images[group]),
                    known=int(known[group]),
                    reviewed=int(reviewed[group]),
                    model=float(totals[group]),
                    said=float(said_before[group] + said[group]),
                    estimate=estimate,
                )
            )
    return found


def missed_share(sample: Sample, groups: Codes, *, confidence: float = CONFIDENCE) -> list[Missed]:
    """Return the share of wrong answers among the images nobody looked at, by group. groups: (N,) codes 0..G-1.

    Known as the elusion test where no wrong one was found: its upper end is then about 3.7 over the images reviewed.
    """
    count = int(groups.max(initial=-1)) + 1
    images, known, reviewed = (
        np.bincount(of, minlength=count) for of in (groups, groups[sample.known], groups[sample.reviewed])
    )
    drawn = sample.witnesses(sample.wrong, np.zeros(len(groups)), groups)
    control = fit_control(drawn.rows)
    control = Control(0.0, 0.0) if control == DIFFERENCE else control
    found = []
    for group in range(count):
        there = drawn.of_group(group)
        unseen = int(images[group] - known[group] - reviewed[group])
        total = _estimate(there, drawn.frame(group, 0.0), control, 0.0, confidence=confidence)
        seen = float(there.truth.sum())
        found.append(Missed(group, unseen, int(reviewed[group]), _share_of(total, seen, unseen)))
    return found


def confidence_of_plan(number: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the confidence for the bound of the number-th plan in a row that is to reach the same miss rate, from 0.

    Whoever draws plan after plan until one says yes is told yes too often. Each plan may be wrong half as often as the
    one before, so that all together are wrong at most as often as was promised.

    Source: Bonferroni's inequality with halved errors (alpha spending).

    >>> [confidence_of_plan(number) for number in range(3)]
    [0.95, 0.975, 0.9875]
    """
    return 1.0 - (1.0 - confidence) * 0.5**number


def interval_by_group(sample: Sample, figure: str, groups: Codes) -> Floats:
    """Return how much of a figure's variance over the whole job comes from each group; sums to 1, or to 0. (G,)"""
    drawn = sample.witnesses(sample.truth(figure)[1], sample.predicted(figure), groups)
    parts = variance_parts(drawn.rows, control=fit_control(drawn.rows))
    by_group = np.bincount(drawn.group, weights=parts, minlength=int(groups.max(initial=-1)) + 1)
    total = float(by_group.sum())
    return np.asarray(by_group / total if total > 0.0 else by_group, dtype=np.float64)


def more_to_halve(*, reviewed: int, images: int) -> int:
    """Return how many more images, chosen alike, halve an interval.

    >>> more_to_halve(reviewed=100, images=100_000)
    299
    """
    return more_to_shrink(reviewed=reviewed, images=images, by=2.0)


def more_to_shrink(*, reviewed: int, images: int, by: float) -> int:
    """Return how many more images, chosen alike, make an interval narrower by a factor above 1."""
    if reviewed <= 0 or reviewed >= images:
        return 0
    wanted = images / (1.0 + (images / reviewed - 1.0) / by**2)
    return max(0, round(wanted) - reviewed)


def _estimate(there: Reviewed, frame: Frame, control: Control, known: float, *, confidence: float) -> Estimate | None:
    if frame.images <= 0:
        return Estimate(known, known, known)
    if len(there.truth) < min(FEWEST_REVIEWS, frame.images):
        return None
    return estimate_total(there, frame, control=control, known=known, confidence=confidence)


def _share_of(total: Estimate | None, seen: float, unseen: int) -> Estimate | None:
    if total is None:
        return None
    if unseen <= 0:
        return Estimate(0.0, 0.0, 0.0)
    return Estimate(*(min(max((bound - seen) / unseen, 0.0), 1.0) for bound in (total.value, total.low, total.high)))
