"""How much of something a set of images holds: known where a person looked, predicted and corrected where not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotator.estimates.weighted_sums import Floats, WeightedSum, interval_of_difference, interval_of_sum
from db.domain.estimates import Estimate

CONFIDENCE = 0.95
# A weight fitted on fewer deviations follows their noise, and its intervals are too narrow (docs/estimates.md).
FEWEST_TO_FIT = 20


@dataclass(frozen=True)
class Reviewed:
    """Images that were drawn by chance and reviewed. All (n,), float.

    truth: what a person says the image holds. predicted: what the model says. probability: of the draw, in (0, 1).
    """

    truth: Floats
    predicted: Floats
    probability: Floats

    def __post_init__(self) -> None:
        if not len(self.truth) == len(self.predicted) == len(self.probability):
            raise ValueError("truth, predicted and probability differ in length")
        if len(self.probability) and not (self.probability.min() > 0.0 and self.probability.max() <= 1.0):
            raise ValueError("a probability outside (0, 1]: an image that could not be drawn says nothing of others")

    def only(self, chosen: np.ndarray) -> Reviewed:
        """Return the chosen images: a mask or places."""
        return Reviewed(self.truth[chosen], self.predicted[chosen], self.probability[chosen])


@dataclass(frozen=True)
class Frame:
    """The images that could be drawn, as far as an estimate needs them.

    images: how many. predicted: the model's total. event_size: of one more deviation that nobody saw, 1 where an image
    holds one fish. mean_probability: of the draw, over all images.
    """

    images: int
    predicted: float
    event_size: float
    mean_probability: float


@dataclass(frozen=True)
class Control:
    """What is expected of an image before anyone looks: base + weight * predicted.

    (0, 1) is the difference estimator, (0, 0) the Horvitz-Thompson estimator.
    """

    base: float
    weight: float

    def of(self, predicted: Floats) -> Floats:
        """Return what is expected of images with these predictions. (n,) -> (n,)"""
        return self.base + self.weight * predicted


DIFFERENCE = Control(0.0, 1.0)


def fit_control(reviewed: Reviewed) -> Control:
    """Return the base and weight with which the reviewed images make the narrowest interval.

    The weight is the prediction's worth: near 1 for a good model, near 0 for a useless one, so that a bad prediction
    costs nothing. With few deviations the prediction counts in full (the difference estimator).

    Source: Angelopoulos, Duchi and Zrnic 2023 (PPI++), section 6; here each image counts by its part of the variance
    of unequal draws. Särndal, Swensson and Wretman 1992, section 6.4 (the regression estimator).
    """
    if np.count_nonzero(reviewed.truth != reviewed.predicted) < FEWEST_TO_FIT:
        return DIFFERENCE
    counts = (1.0 - reviewed.probability) / reviewed.probability**2  # (n,)
    if counts.sum() <= 0.0:
        return DIFFERENCE
    truth_mean = float(np.average(reviewed.truth, weights=counts))
    predicted_mean = float(np.average(reviewed.predicted, weights=counts))
    apart = reviewed.predicted - predicted_mean
    spread, together = float((counts * apart**2).sum()), float((counts * apart * (reviewed.truth - truth_mean)).sum())
    weight = min(max(together / spread, 0.0), 1.0) if spread > 0.0 else 0.0
    return Control(truth_mean - weight * predicted_mean, weight)


def estimate_total(
    reviewed: Reviewed,
    frame: Frame,
    *,
    control: Control = DIFFERENCE,
    known: float = 0.0,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Return the total of the frame's images plus a known total, with its interval.

    Only the images that nobody saw are estimated: each by the control, corrected by the reviewed images' deviations,
    which stand for (1 - p) / p unseen ones. Deviations up and down get an interval each, so that a fish the model
    missed once in hundred images counts as the rare event that it is.

    Source: Horvitz and Thompson 1952; Särndal, Swensson and Wretman 1992, section 6.3 (difference estimator).
    """
    seen = len(reviewed.truth)
    if seen >= frame.images:
        total = known + float(reviewed.truth.sum())
        return Estimate(total, total, total)
    expected_unseen = control.base * (frame.images - seen) + control.weight * (
        frame.predicted - float(reviewed.predicted.sum())
    )
    deviations = reviewed.truth - control.of(reviewed.predicted)  # (n,)
    more = _sum_of(deviations, reviewed.probability, frame, size=_next_more(frame, control))
    less = _sum_of(-deviations, reviewed.probability, frame, size=_next_less(frame, control))
    unseen = interval_of_difference(
        interval_of_sum(more, confidence=confidence), interval_of_sum(less, confidence=confidence)
    ).shifted(expected_unseen)
    possible = unseen.within(low=0.0, high=float("inf"))
    return possible.shifted(known + float(reviewed.truth.sum()))


def variance_parts(reviewed: Reviewed, *, control: Control = DIFFERENCE) -> Floats:
    """Return each reviewed image's part of the estimate's variance. (n,)"""
    weights = 1.0 / reviewed.probability
    deviations = reviewed.truth - control.of(reviewed.predicted)
    return np.asarray(weights * (weights - 1.0) * deviations**2)


def _sum_of(deviations: Floats, probability: Floats, frame: Frame, *, size: float) -> WeightedSum:
    """Return the positive deviations, weighted to the unseen images. size: of the next one."""
    weights, positive = 1.0 / probability, np.maximum(deviations, 0.0)
    # One more event stands for no more images than nobody saw.
    stands_for = min(1.0 / frame.mean_probability - 1.0, float(frame.images - len(probability)))
    return WeightedSum(
        value=float(((weights - 1.0) * positive).sum()),
        variance=float((weights * (weights - 1.0) * positive**2).sum()),
        next_size=stands_for * size,
        next_variance=(stands_for + 1.0) * stands_for * size**2,
    )


def _next_more(frame: Frame, control: Control) -> float:
    """A fish where none is predicted."""
    return max(frame.event_size - control.base, 0.0)


def _next_less(frame: Frame, control: Control) -> float:
    """No fish where one is predicted; nothing predicted can be nothing too much."""
    predicted = frame.event_size if frame.predicted > 0.0 else 0.0
    return max(control.base + control.weight * predicted, 0.0)
