"""From what a plan is asked for to its design: how many images for certain and by chance, or how many whole days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from annotator.catch.frame import JobFrame, PlanError
from annotator.estimates.figures import FEWEST_REVIEWS
from annotator.plans import make
from annotator.plans.draw import Codes, Floats
from annotator.plans.expected import Answers, Confusion
from annotator.plans.forecast import drawn_for_total, images_for_missed
from annotator.plans.pace import Pace
from db.domain.plans import FLOOR_SHARE, MISSED, PlanDesign, PlanUnit, Target

# Of a plan with a budget: the likeliest wrong teach the model most, the others carry the figures.
CERTAIN_SHARE = 0.1
# Of the sizes in a curve: with hardly an image drawn by chance nothing would be known of the others.
_MOST_CERTAIN = 0.8


@dataclass(frozen=True)
class PlanRequest:
    """What a plan is to do: reach targets, or spend a budget of images or hours; one of the three is given.

    certain_share: of a budget, the part that goes to the likeliest wrong for certain. unit: what is drawn whole; days
    and trips go with a budget or hours, and have no certain part.
    """

    targets: tuple[Target, ...] = ()
    images: int | None = None
    hours: float | None = None
    certain_share: float = CERTAIN_SHARE
    floor_share: float = FLOOR_SHARE
    model_version: str | None = None
    seed: int = 0
    unit: PlanUnit = PlanUnit.IMAGE


def design_for(
    answers: Answers,
    confusion: Confusion,
    scores: Floats,
    request: PlanRequest,
    *,
    error_probability: Floats,
    pace: Pace,
) -> PlanDesign:
    """Return the design for a request. answers: with the probability that the species is wrong."""
    count = len(answers)
    if not request.targets:
        images = min(_images_asked(request, pace), count)
        return _split(images, request.certain_share, of=count, seed=request.seed, floor_share=request.floor_share)
    certain, drawn = _for_missed(error_probability, request.targets)
    rest = np.argsort(-error_probability, kind="stable")[certain:]
    for target in request.targets:
        if not target.is_missed and len(rest):
            size = drawn_for_total(
                answers.only(rest), confusion, scores[rest], target, floor_share=request.floor_share, most=len(rest)
            )
            drawn = max(drawn, len(rest) if size is None else size)
    return PlanDesign(request.seed, certain, min(drawn, len(rest)), _floor(request))


def whole_units(
    frame: JobFrame, places: Codes, scores: Floats, request: PlanRequest, *, pace: Pace
) -> tuple[PlanDesign, make.Chosen]:
    """Return the design and the images of a plan of whole days or trips, as many as the budget holds."""
    whole, unit = frame.units_of(request.unit), request.unit
    assert whole is not None, "images are drawn one by one elsewhere"
    units = np.unique(whole[places], return_inverse=True)[1].reshape(-1)
    every = int(units.max()) + 1
    asked = _images_asked(request, pace)
    count = make.units_for(asked, scores, units, floor_share=request.floor_share)
    least = min(FEWEST_REVIEWS, every)
    if count < least:
        raise PlanError(
            f"{asked} images are about {count} of the {every} {unit}s, and figures take {least}: "
            f"about {round(len(places) * least / every)} images, or --unit image"
        )
    strata = np.zeros(every, dtype=np.int64)
    strata[units] = frame.trip[places] if unit is PlanUnit.DAY else 0
    draft = PlanDesign(request.seed, 0, 0, request.floor_share, unit, count)
    chosen = make.make_unit_plan(scores, units, strata, draft)
    return replace(draft, drawn=len(chosen.places)), chosen


def _images_asked(request: PlanRequest, pace: Pace) -> int:
    """Return the images of a budget, or as many as somebody answers in the hours given."""
    images = request.images if request.images is not None else pace.images(request.hours or 0.0)
    if images < 1:
        raise PlanError(f"{request.hours} hours are less than one image, which takes about {pace.seconds:.0f} s")
    return images


def _for_missed(error_probability: Floats, targets: Sequence[Target]) -> tuple[int, int]:
    """Return how many images the miss rates asked for take, for certain and by chance."""
    falling = np.sort(error_probability)[::-1]
    certain, drawn = 0, 1
    for target in targets:
        if target.is_missed:
            found = images_for_missed(falling, target) or (len(falling), 0)
            certain, drawn = max(certain, found[0]), max(drawn, found[1])
    return certain, drawn


def _floor(request: PlanRequest) -> float:
    """A miss rate alone is shown best by images drawn alike: error probabilities say least where they are low."""
    only_missed = all(target.figure == MISSED for target in request.targets)
    return 1.0 if only_missed else request.floor_share


def of_size(design: PlanDesign, images: int, *, of: int) -> PlanDesign:
    share = min(design.certain / max(design.images, 1), _MOST_CERTAIN)
    return _split(images, share, of=of, seed=design.seed, floor_share=design.floor_share)


def _split(images: int, certain_share: float, *, of: int, seed: int, floor_share: float) -> PlanDesign:
    """Return the design of a plan of some images; at least one is drawn, or nothing would stand for the others."""
    certain = min(round(images * certain_share), images if images == of else images - 1)
    return PlanDesign(seed, certain, images - certain, floor_share)
