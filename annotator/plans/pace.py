"""How long a person takes for one image, from the moments of earlier answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

# What people took for an image with boxes to check, before this installation has measured its own.
ASSUMED_S = 20.0
# A longer gap is a pause; a shorter one is an answer that a program gave or a copy of the folder.
_LONGEST_S, _SHORTEST_S = 300.0, 0.5
_FEWEST_GAPS = 10


@dataclass(frozen=True)
class Pace:
    """Seconds an image; gaps: between how many answers it was measured, 0 where it is assumed."""

    seconds: float
    gaps: int

    def hours(self, images: float) -> float:
        """Return the hours that a person needs for some images."""
        return images * self.seconds / 3600.0

    def images(self, hours: float) -> int:
        """Return how many images a person answers in some hours."""
        return int(hours * 3600.0 / self.seconds)


def pace_of(moments: Sequence[tuple[str, str, datetime]]) -> Pace:
    """Return the median time between two answers of one person to one export.

    moments: export, person and moment of each answer, in the order of time.

    >>> pace_of([]).gaps
    0
    """
    gaps = [(after[2] - before[2]).total_seconds() for before, after in pairwise(moments) if before[:2] == after[:2]]
    held = [gap for gap in gaps if _SHORTEST_S <= gap <= _LONGEST_S]
    return Pace(median(held), len(held)) if len(held) >= _FEWEST_GAPS else Pace(ASSUMED_S, 0)
