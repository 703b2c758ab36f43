"""Catch figures of a job: what the model says, what people said, and the estimate of both with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from db.domain.estimates import Estimate


class Grouping(StrEnum):
    """By what figures can be told apart; species they always are."""

    CAMERA = "camera"
    DAY = "day"
    TRIP = "trip"
    SPECIES = "species"


class Counted(StrEnum):
    """What catch figures count: fish, image by image, or events, every animal once."""

    FISH_IN_IMAGES = "fish in images"
    ANIMALS = "animals"


@dataclass(frozen=True)
class CatchFigure:
    """How many fish of a species a group holds. group: its names, in the order of the groupings asked for.

    model: what the model alone says of all its images. said: what people said of the images they decided on, which are
    `decided` of `images`. reviewed: those of them that the plan chose. estimate: None where it cannot be had.
    """

    group: tuple[str, ...]
    figure: str
    images: int
    decided: int
    reviewed: int
    model: float
    said: float
    estimate: Estimate | None


@dataclass(frozen=True)
class MissedFigure:
    """The share of wrong answers among the images of a group that nobody looked at; None where it cannot be had."""

    group: tuple[str, ...]
    unseen: int
    reviewed: int
    share: Estimate | None


@dataclass(frozen=True)
class TargetState:
    """Whether a plan's target is reached. found: the width or share that stands against it; None before there is any.

    more: how many further images would be needed, about; None where it cannot be told.
    """

    target: str
    found: float | None
    reached: bool
    more: int | None


@dataclass(frozen=True)
class PlanState:
    """The plan that figures stand on. images: of the plan; answered: people decided; undecided: said they cannot tell.

    left: nobody has said anything yet. Figures of a plan with some left are only so far.
    """

    plan_id: int
    model_version: str
    images: int
    answered: int
    undecided: int
    left: int
    certain: int
    drawn: int
    targets: tuple[TargetState, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every image was looked at."""
        return self.left == 0


@dataclass(frozen=True)
class CatchSummary:
    """A job's catch figures. by: the groupings, in the order of each figure's group.

    images: with an answer of the model. decided: of them those that people decided on. contributions: by figure, the
    cameras that its interval comes from, the largest first, with their shares. more_to_halve: further images that halve
    the intervals of the whole job. hours: that people took for what they decided, seconds_per_image: each; measured:
    whether these seconds are, or are assumed. notes: what a reader must know, a line each.
    counts: what the figures count.
    """

    job_id: int
    by: tuple[Grouping, ...]
    model_version: str
    images: int
    decided: int
    plan: PlanState | None
    figures: tuple[CatchFigure, ...]
    missed: tuple[MissedFigure, ...]
    contributions: dict[str, tuple[tuple[str, float], ...]]
    more_to_halve: int | None
    hours: float
    seconds_per_image: float
    measured: bool
    notes: tuple[str, ...]
    counts: Counted = Counted.FISH_IN_IMAGES
