"""How many of the unflagged pictures are wrong, told from those that a person looked at by chance."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta

CONFIDENCE = 0.95
# Beyond this nobody reviews for an interval; it also ends the search.
MOST_REVIEWS = 1_000_000


@dataclass(frozen=True)
class MissRate:
    """The share of wrong pictures among the unflagged ones, with its interval; all of 0..1."""

    reviewed: int
    wrong: int
    low: float
    high: float
    confidence: float

    @property
    def rate(self) -> float | None:
        """The share found; None before anything was reviewed."""
        return self.wrong / self.reviewed if self.reviewed else None

    @property
    def width(self) -> float:
        """The width of the interval."""
        return self.high - self.low


def miss_rate(*, reviewed: int, wrong: int, confidence: float = CONFIDENCE) -> MissRate:
    """Return the miss rate with its exact interval, which never promises more than its confidence.

    Raises:
        ValueError: more wrong than reviewed, a negative number, or a confidence outside 0..1.

    Source: Clopper and Pearson 1934.

    >>> found = miss_rate(reviewed=100, wrong=0)
    >>> round(found.low, 3), round(found.high, 3)
    (0.0, 0.036)
    """
    if not 0 <= wrong <= reviewed or not 0.0 < confidence < 1.0:
        raise ValueError(f"{wrong} wrong of {reviewed} reviewed at confidence {confidence} is impossible")
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if wrong == 0 else float(beta.ppf(tail, wrong, reviewed - wrong + 1))
    high = 1.0 if wrong == reviewed else float(beta.ppf(1.0 - tail, wrong + 1, reviewed - wrong))
    return MissRate(reviewed=reviewed, wrong=wrong, low=low, high=high, confidence=confidence)


def more_reviews_for(found: MissRate, *, width: float) -> int | None:
    """Return how many more to review for an interval of at most `width`, if the share of wrong ones stays.

    Before anything was reviewed the worst share, a half, is assumed. None: more than `MOST_REVIEWS` in all.

    Raises:
        ValueError: the width is not positive.

    >>> more_reviews_for(miss_rate(reviewed=100, wrong=0), width=0.02)
    83
    """
    if width <= 0.0:
        raise ValueError(f"an interval of width {width} would need every picture there is")
    if found.width <= width:
        return 0
    rate = 0.5 if found.rate is None else found.rate
    low, high = found.reviewed, MOST_REVIEWS
    if _width_at(high, rate=rate, confidence=found.confidence) > width:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _width_at(middle, rate=rate, confidence=found.confidence) <= width:
            high = middle
        else:
            low = middle
    return high - found.reviewed


def _width_at(reviewed: int, *, rate: float, confidence: float) -> float:
    return miss_rate(reviewed=reviewed, wrong=round(rate * reviewed), confidence=confidence).width
