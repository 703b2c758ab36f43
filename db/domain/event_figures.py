"""The figures that counts of animals are evaluated by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CountFigures:
    """How good the counts of some cameras are.

    error: sum over cameras and species of |counted - true|, divided by the true number. once: share of the animals
    that exactly one event stands for. species: share of events of an animal that name its species. looks: events, one
    of them each, that a person would look at, for each true animal.
    """

    animals: int
    events: int
    error: float
    once: float
    species: float
    looks: float


@dataclass(frozen=True)
class ComparedCounts:
    """The figures at one rate of images. errors of counts: see `CountFigures`.

    named: share of sightings that name their species. by_length, most_at_once: errors of the two counts without tracks.
    tracker: of the tracker alone. events: of the follower. species: share of animals named right, by way of naming.
    """

    per_second: float
    named: float
    by_length: float
    most_at_once: float
    tracker: CountFigures
    events: CountFigures
    species: dict[str, float]

    @property
    def best_baseline(self) -> float:
        """The smallest error of the simpler counts."""
        return min(self.by_length, self.most_at_once, self.tracker.error)
