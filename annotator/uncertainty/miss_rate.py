"""How many of the unflagged images are wrong, told from those that a person looked at by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import beta

CONFIDENCE = 0.95
# Beyond this nobody reviews for an interval; it also ends the search.
MOST_REVIEWS = 1_000_000
_NONE = 1e-9
_ENOUGH = 0.01


@dataclass(frozen=True)
class MissRate:
    """The share of wrong images among the unflagged ones, with its interval; all of 0..1.

    rate: None before anything was reviewed. worth: as how many images drawn evenly the reviewed ones count.
    """

    reviewed: int
    wrong: int
    rate: float | None
    low: float
    high: float
    confidence: float
    worth: float

    @property
    def width(self) -> float:
        """The width of the interval."""
        return self.high - self.low


@dataclass(frozen=True)
class Stratum:
    """Unflagged images of a kind that each draw could take: how many there are, were reviewed, and were wrong.

    rate: the share of wrong ones, where they were drawn with unequal probabilities; worth: as how many images drawn
    alike the reviewed ones count then. None where all were drawn alike.
    """

    images: int
    reviewed: int
    wrong: int
    rate: float | None = None
    worth: float | None = None

    @property
    def share_wrong(self) -> float:
        """The share of wrong images; of a stratum with reviews."""
        return self.wrong / self.reviewed if self.rate is None else self.rate

    @property
    def drawn_alike(self) -> float:
        """As how many images drawn alike the reviewed ones count."""
        return float(self.reviewed) if self.worth is None else self.worth


def weighted_stratum(images: int, weights: Sequence[float], wrong: Sequence[bool]) -> Stratum:
    """Return a stratum of reviewed images of unequal weights, each one over its probability to be drawn.

    Sources: Hajek 1971 (the share); Kish 1965, section 11.7 (what unequal weights cost).

    >>> weighted_stratum(100, [1.0, 3.0], [True, False])
    Stratum(images=100, reviewed=2, wrong=1, rate=0.25, worth=1.6)
    """
    if len(set(weights)) < 2:
        return Stratum(images, len(wrong), sum(wrong))
    total = sum(weights)
    rate = sum(weight for weight, is_wrong in zip(weights, wrong, strict=True) if is_wrong) / total
    return Stratum(images, len(wrong), sum(wrong), rate, total**2 / sum(weight**2 for weight in weights))


def miss_rate(*, reviewed: int, wrong: int, confidence: float = CONFIDENCE) -> MissRate:
    """Return the miss rate of images drawn evenly, with its exact interval: it never promises too much.

    Raises:
        ValueError: more wrong than reviewed, a negative number, or a confidence outside 0..1.

    Source: Clopper and Pearson 1934.

    >>> found = miss_rate(reviewed=100, wrong=0)
    >>> round(found.low, 3), round(found.high, 3)
    (0.0, 0.036)
    """
    return weighted_miss_rate([Stratum(max(reviewed, 1), reviewed, wrong)], confidence=confidence)


def weighted_miss_rate(strata: Sequence[Stratum], *, confidence: float = CONFIDENCE) -> MissRate:
    """Return the miss rate of images drawn unevenly: each stratum counts by its images, not by its reviews.

    The interval is the exact one of as many images as the reviewed ones are worth. Strata nobody reviewed an image
    of are left out.

    Raises:
        ValueError: as for `miss_rate`.

    Source: Kish 1965, section 11.7 (what unequal weights cost); Korn and Graubard 1998 (the interval).

    >>> found = weighted_miss_rate([Stratum(900, 10, 0), Stratum(100, 10, 10)])
    >>> round(found.rate, 3), round(found.worth, 1)
    (0.1, 12.2)
    """
    if not all(0 <= one.wrong <= one.reviewed for one in strata) or not 0.0 < confidence < 1.0:
        found = ", ".join(f"{one.wrong} wrong of {one.reviewed} reviewed" for one in strata)
        raise ValueError(f"{found} at confidence {confidence} is impossible")
    seen = [one for one in strata if one.reviewed]
    reviewed, wrong = sum(one.reviewed for one in seen), sum(one.wrong for one in seen)
    if not seen:
        return MissRate(reviewed=0, wrong=0, rate=None, low=0.0, high=1.0, confidence=confidence, worth=0.0)
    images = sum(one.images for one in seen)
    shares = [one.images / images for one in seen]
    rate = sum(share * one.share_wrong for share, one in zip(shares, seen, strict=True))
    worth = 1.0 / sum(share**2 / one.drawn_alike for share, one in zip(shares, seen, strict=True))
    low, high = _interval(worth, rate * worth, confidence=confidence)
    return MissRate(reviewed, wrong, rate, low, high, confidence, worth)


def _interval(reviewed: float, wrong: float, *, confidence: float) -> tuple[float, float]:
    tail = (1.0 - confidence) / 2.0
    right = max(reviewed - wrong, 0.0)
    low = 0.0 if wrong <= _NONE else float(beta.ppf(tail, wrong, right + 1.0))
    high = 1.0 if right <= _NONE else float(beta.ppf(1.0 - tail, wrong + 1.0, right))
    return low, high


def more_reviews_for(found: MissRate, *, width: float) -> int | None:
    """Return how many more to review for an interval of at most `width`, if the share of wrong ones stays.

    Before anything was reviewed the worst share, a half, is assumed. None: more than `MOST_REVIEWS` in all.

    Raises:
        ValueError: the width is not positive.

    >>> more_reviews_for(miss_rate(reviewed=100, wrong=0), width=0.02)
    83
    """
    if width <= 0.0:
        raise ValueError(f"an interval of width {width} would need every image there is")
    if found.width <= width:
        return 0
    rate = 0.5 if found.rate is None else found.rate
    low, high = found.worth, float(MOST_REVIEWS)
    if _width_at(high, rate=rate, confidence=found.confidence) > width:
        return None
    while high - low > _ENOUGH:
        middle = (low + high) / 2.0
        if _width_at(middle, rate=rate, confidence=found.confidence) <= width:
            high = middle
        else:
            low = middle
    # The ones to come are taken to be drawn as unevenly as those before.
    reviews_a_worth = found.reviewed / found.worth if found.reviewed else 1.0
    return math.ceil((high - found.worth) * reviews_a_worth)


def _width_at(worth: float, *, rate: float, confidence: float) -> float:
    low, high = _interval(worth, rate * worth, confidence=confidence)
    return high - low
