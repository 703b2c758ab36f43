"""Review plans: a probability sample of images, with every probability fixed before anyone looks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MISSED = "missed"
# The larger part of the draw goes to all images alike: a useless model then costs at most a tenth more images than a
# plain random sample, a decent one still less than half (measured in docs/estimates.md).
FLOOR_SHARE = 0.6
_TARGET = re.compile(r"^\s*(?P<name>[^:]+?)\s*:\s*(?P<percent>\d+(?:\.\d+)?)\s*%\s*$")


@dataclass(frozen=True)
class Target:
    """What a plan is to reach. figure: a species, or `missed`.

    share: for a species the half-width of the interval as a share of the total; for `missed` the largest share of
    wrong answers among the images that nobody looks at.
    """

    figure: str
    share: float

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"target {self}: wanted more than 0 % and less than 100 %")

    @property
    def is_missed(self) -> bool:
        """Whether it is about wrong answers that nobody looks at."""
        return self.figure == MISSED

    def __str__(self) -> str:
        return f"{self.figure}:{self.share * 100:g}%"


def target_from(text: str) -> Target:
    """Return the target that a text names.

    Raises:
        ValueError: the text is no target.

    >>> target_from("BET:20%")
    Target(figure='BET', share=0.2)
    """
    found = _TARGET.match(text)
    if found is None:
        raise ValueError(
            f"target {text!r}: wanted a species or {MISSED!r} and a share, such as 'BET:20%' or 'missed:5%'"
        )
    return Target(found["name"], float(found["percent"]) / 100.0)


class PlanUnit(StrEnum):
    """What a plan draws: images one by one, or all images of a trip's day or of a trip."""

    IMAGE = "image"
    DAY = "day"
    TRIP = "trip"


@dataclass(frozen=True)
class PlanDesign:
    """How a plan's images are chosen. seed: of the draw. certain: how many of the likeliest wrong are taken for sure.

    drawn: how many of the others are drawn by chance. floor_share: the part of the draw that goes to all images alike.
    unit: what is drawn whole. units: how many of it, 0 where images are drawn one by one; drawn is then their images.
    """

    seed: int
    certain: int
    drawn: int
    floor_share: float = FLOOR_SHARE
    unit: PlanUnit = PlanUnit.IMAGE
    units: int = 0

    def __post_init__(self) -> None:
        if (self.unit is PlanUnit.IMAGE) != (self.units == 0) or (self.units and self.certain):
            raise ValueError(f"{self} is no design: whole units have a number and no certain part")
        if self.certain < 0 or self.drawn < 0 or not 0.0 < self.floor_share <= 1.0:
            raise ValueError(f"{self} is no design")

    @property
    def images(self) -> int:
        """How many images a person looks at."""
        return self.certain + self.drawn


@dataclass(frozen=True)
class PlanItem:
    """One image of a plan. probability: of being in the plan, above 0 to 1; certain: it was no matter of chance.

    camera, day (ISO 8601, None where it is not known): as they were called when it was drawn.
    """

    image_id: int
    prediction_id: int
    probability: float
    certain: bool
    camera: str
    day: str | None

    def __post_init__(self) -> None:
        if not 0.0 < self.probability <= 1.0:
            raise ValueError(f"image {self.image_id}: probability {self.probability}, wanted above 0 to 1")


@dataclass(frozen=True)
class PlanOrigin:
    """What a plan was drawn from. job_id: None for everything that waits for a person. target: '' where none was named.

    images: how many could be drawn. last_prediction_id, last_correction_id: the newest held then, 0 before the first.
    """

    model_version: str
    job_id: int | None
    target: str
    images: int
    last_prediction_id: int
    last_correction_id: int


@dataclass(frozen=True)
class ReviewPlan:
    """A plan as it is held; created_at: ISO 8601, UTC."""

    plan_id: int
    export_id: str
    origin: PlanOrigin
    design: PlanDesign
    created_at: str
    items: tuple[PlanItem, ...]
