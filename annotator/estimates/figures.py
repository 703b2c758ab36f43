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
from db.domain.estimates import Estimate

Codes = npt.NDArray[np.int64]

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

    def predicted(self, figure: str) -> Floats:
        """Return the model's number for each image. (N,)"""
        if figure == ALL_FISH:
            return self.fish
        return np.where(self.species == self.names.index(figure), self.fish, 0.0)

    def truth(self, figure: str) -> tuple[Floats, Floats]:
        """Return people's numbers of the images known before, and of the reviewed ones. (k,), (n,)"""
        if figure == ALL_FISH:
            return self.known_truth.sum(axis=1), self.reviewed_truth.sum(axis=1)
        place = self.names.index(figure)
        return self.known_truth[:, place], self.reviewed_truth[:, place]


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
        drawn = Reviewed(truth, predicted[sample.reviewed], sample.probability)
        control = fit_control(drawn)
        event_size = _event_size(predicted)
        share = _mean_probability(sample)
        for group, places in enumerate(_places_by_group(groups[sample.reviewed], count)):
            frame = Frame(
                int(images[group] - known[group]), float(totals[group] - predicted_known[group]), event_size, share
            )
            estimate = _estimate(drawn.only(places), frame, control, float(said_before[group]), confidence=confidence)
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
    images, known = (np.bincount(of, minlength=count) for of in (groups, groups[sample.known]))
    drawn = Reviewed(sample.wrong, np.zeros(len(sample.wrong)), sample.probability)
    control, share = fit_control(drawn), _mean_probability(sample)
    control = Control(0.0, 0.0) if control == DIFFERENCE else control
    found = []
    for group, places in enumerate(_places_by_group(groups[sample.reviewed], count)):
        there = drawn.only(places)
        frame = Frame(int(images[group] - known[group]), 0.0, 1.0, share)
        unseen = frame.images - len(there.truth)
        total = _estimate(there, frame, control, 0.0, confidence=confidence)
        seen = float(there.truth.sum())
        found.append(Missed(group, unseen, len(there.truth), _share_of(total, seen, unseen)))
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
    truth = sample.truth(figure)[1]
    drawn = Reviewed(truth, sample.predicted(figure)[sample.reviewed], sample.probability)
    parts = variance_parts(drawn, control=fit_control(drawn))
    by_group = np.bincount(groups[sample.reviewed], weights=parts, minlength=int(groups.max(initial=-1)) + 1)
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


def _event_size(predicted: Floats) -> float:
    """Return how many fish an image holds that holds some, each fish counted alike; 1 where none is predicted."""
    total = float(predicted.sum())
    return max(1.0, float((predicted**2).sum()) / total) if total > 0.0 else 1.0


def _mean_probability(sample: Sample) -> float:
    frame = len(sample.species) - len(sample.known)
    return min(1.0, len(sample.reviewed) / frame) if frame and len(sample.reviewed) else 1.0


def _places_by_group(groups: Codes, count: int) -> list[Codes]:
    """Return for each group the places of its members."""
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups, minlength=count))
    return np.split(order, ends[:-1]) if count else []
