"""How wide the intervals of a plan will be, how many images a target takes, and what each further hour buys."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from annotator.estimates.weighted_sums import Floats, WeightedSum, interval_of_difference, interval_of_sum
from annotator.plans.draw import Codes, inclusion_probabilities
from annotator.plans.expected import Answers, Confusion, expected_totals
from db.domain.estimates import Estimate
from db.domain.plans import Target

CONFIDENCE = 0.95
# Below these nobody should believe an interval, however narrow a forecast makes it.
FEWEST_DRAWN = 20
# So many images, evenly taken by their scores, forecast what all would; the plan itself is drawn from all.
ENOUGH_TO_FORECAST = 50_000
_CERTAIN_STEPS = 200
# A plan that is just large enough on average reaches its promise every other time, and error probabilities are told
# too low on cameras that the model has not seen: so many more wrong ones are planned for.
_MORE_WRONG = 1.25


def forecast_total(
    answers: Answers,
    confusion: Confusion,
    probabilities: Floats,
    name: str,
    *,
    each: int = 1,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Return a species' total as a review with these probabilities is expected to tell it.

    probabilities: (N,), above 0; 1 for an image that is reviewed for certain. each: as how many images one of these
    counts (`every_nth`). It trusts the error probabilities: how
    wide the interval is in truth, only the review tells.
    """
    place = answers.names.index(name)
    named = answers.species == place
    wrong = answers.error_probability
    missed = np.where(named, 0.0, wrong * confusion.shares[answers.species, place])  # (N,)
    false = np.where(named, wrong, 0.0)
    fish = np.where(named, answers.fish, 0.0)
    more = _expected_sum(missed, np.ones(len(answers)), probabilities, each=each)
    less = _expected_sum(false, fish, probabilities, each=each)
    corrected = interval_of_difference(
        interval_of_sum(more, confidence=confidence), interval_of_sum(less, confidence=confidence)
    )
    total = corrected.shifted(each * float(expected_totals(answers, confusion)[place]) - corrected.value)
    return total.within(low=0.0, high=math.inf)


def forecast_missed(
    error_probability: Floats, probabilities: Floats, *, each: int = 1, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the share of wrong answers among the images nobody looks at, as a review is expected to tell it.

    error_probability, probabilities: (N,), each: as for `forecast_total`.
    """
    sums = _expected_sum(error_probability, np.ones(len(error_probability)), probabilities, each=each)
    unseen = each * float((1.0 - probabilities).sum())
    return _share_of(interval_of_sum(sums, confidence=confidence), unseen)


def drawn_for_total(
    answers: Answers, confusion: Confusion, scores: Floats, target: Target, *, floor_share: float, most: int
) -> int | None:
    """Return how many images drawn by chance reach a species' target; None where not even `most` do."""
    places, each = every_nth(scores)
    few, few_scores = answers.only(places), scores[places]

    def reached(size: int) -> bool:
        if size >= len(scores):
            return True
        share = size / len(scores) * len(places)
        probabilities = inclusion_probabilities(few_scores, size=share, floor_share=floor_share)
        found = forecast_total(few, confusion, probabilities, target.figure, each=each)
        return found.half_width <= target.share * found.value

    return _smallest(reached, least=min(FEWEST_DRAWN, most), most=most)


def images_for_missed(error_probability: Floats, target: Target) -> tuple[int, int] | None:
    """Return how many of the likeliest wrong to review for sure, and how many of the others by chance.

    Together as few as can be so that the upper end of the interval is at most the target; None where no number does.
    error_probability: (N,), falling.
    """
    count = len(error_probability)
    error_probability = np.minimum(_MORE_WRONG * error_probability, 1.0)
    rest_wrong = np.append(np.cumsum(error_probability[::-1])[::-1], 0.0)  # (N + 1,): wrong ones after the k-th
    best: tuple[int, int] | None = None
    for certain in np.unique(np.linspace(0, count, _CERTAIN_STEPS + 1).astype(int)).tolist():
        if best is not None and certain >= sum(best):
            break
        rest, wrong = count - certain, float(rest_wrong[certain])
        if rest and wrong / rest > target.share:
            continue

        def reached(drawn: int, rest: int = rest, wrong: float = wrong) -> bool:
            return _missed_of(rest, wrong, drawn=drawn, confidence=CONFIDENCE).high <= target.share

        drawn = _smallest(reached, least=min(FEWEST_DRAWN, rest), most=rest)
        if drawn is not None and (best is None or certain + drawn < sum(best)):
            best = (certain, drawn)
    return best


def sizes_to_show(images: int, *, most: int, steps: int = 8) -> list[int]:
    """Return the sizes at which a curve is shown: from a quarter of a plan to four times it.

    >>> sizes_to_show(100, most=250, steps=5)
    [25, 50, 100, 200, 250]
    """
    ends = np.geomspace(max(images / 4.0, 1.0), images * 4.0, steps)
    return sorted({min(max(round(float(size)), 1), most) for size in ends})


def every_nth(scores: Floats, *, most: int = ENOUGH_TO_FORECAST) -> tuple[Codes, int]:
    """Return the places of images that stand for all in a forecast, and as how many each counts.

    Equal steps through the images by their scores; from a million of them a forecast would cost seconds.

    >>> every_nth(np.array([5.0, 1.0, 3.0, 4.0]), most=2)
    (array([2, 0]), 2)
    """
    each = max(1, math.ceil(len(scores) / most))
    return np.asarray(np.argsort(scores, kind="stable")[each // 2 :: each]), each


def _expected_sum(chance: Floats, size: Floats, probabilities: Floats, *, each: int) -> WeightedSum:
    """Return what a review is expected to see of events that each image has with a chance. All (N,)."""
    odds = (1.0 - probabilities) / probabilities
    next_weight = len(probabilities) / max(float(probabilities.sum()), 1e-9)
    typical = 1.0 if float(size.max(initial=0.0)) > 0.0 else 0.0
    return WeightedSum(
        value=each * float(((1.0 - probabilities) * chance * size).sum()),
        variance=each * float((odds * chance * size**2).sum()),
        next_size=(next_weight - 1.0) * typical,
        next_variance=next_weight * (next_weight - 1.0) * typical,
    )


def _missed_of(images: int, wrong: float, *, drawn: int, confidence: float) -> Estimate:
    """Return what is expected of images of which `drawn` are drawn alike. wrong: how many of them all."""
    if images <= drawn:
        return Estimate(0.0, 0.0, 0.0)
    if drawn <= 0:
        return Estimate(wrong / images, 0.0, 1.0)
    weight = images / drawn
    size, variance, seen = weight - 1.0, weight * (weight - 1.0), wrong / weight
    sums = WeightedSum(size * seen, variance * seen, size, variance)
    return _share_of(interval_of_sum(sums, confidence=confidence), float(images - drawn))


def _share_of(total: Estimate, images: float) -> Estimate:
    if images <= 0.0:
        return Estimate(0.0, 0.0, 0.0)
    return Estimate(*(min(bound / images, 1.0) for bound in (total.value, total.low, total.high)))


def _smallest(reached: Callable[[int], bool], *, least: int, most: int) -> int | None:
    """Return the smallest number from least to most for which it holds, if it holds for all above it, too."""
    if not reached(most):
        return None
    low, high = least - 1, most
    while high - low > 1 and high - low > 0.005 * high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def relative_half_width(found: Estimate) -> float:
    """Return the half-width as a share of the value; infinite where nothing is expected."""
    return found.half_width / found.value if found.value > 0.0 else math.inf
