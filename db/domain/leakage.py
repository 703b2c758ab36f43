"""What an audit of shortcut cues found: what each cue tells of the species, and where the heat of maps lies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LeakVerdict(StrEnum):
    """What the audit says of a cue, or of all of them."""

    LEAK = "leak"
    NONE = "no leak"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Interval:
    """A figure and the middle 95 % of its bootstrap draws."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ShortcutCue:
    """How well something names the species that is known without a look at the fish.

    accuracy, balanced_accuracy: its own; majority_accuracy, majority_balanced: of always saying the most common
    species. told: the share of what there is to know of the species that it tells, 0 for nothing, 1 for all. control:
    the same of species into which a leak was planted; None where no species could depend on the cue.
    """

    name: str
    images: int
    accuracy: float
    balanced_accuracy: float
    majority_accuracy: float
    majority_balanced: float
    told: Interval
    control: Interval | None
    verdict: LeakVerdict


@dataclass(frozen=True)
class SplitGap:
    """How much better a linear probe on whole images looks on known cameras than on unseen ones.

    accuracy_gap, loss_gap: known minus unseen, and unseen minus known (nats); above 0 where a random split flatters.
    """

    known_accuracy: float
    unseen_accuracy: float
    known_log_loss: float
    unseen_log_loss: float
    accuracy_gap: Interval
    loss_gap: Interval


@dataclass(frozen=True)
class HeatReport:
    """Where the heat of a model's maps lies on held-out images. outside: mean share beside the boxes, 0..1.

    even: what maps without any prediction would have there. cameras: of how many the images are.
    """

    model: str
    images: int
    cameras: int
    outside: Interval
    even: float

    @property
    def contrast(self) -> float:
        """How many times as hot a cell on a fish is as one beside it; 1 for a map without any prediction."""
        inside = (1.0 - self.outside.value) / (1.0 - self.even)
        return inside / max(self.outside.value / self.even, 1e-9)
