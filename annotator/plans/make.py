"""Makes a plan: the likeliest wrong for certain, others by chance, in an order in which nobody can tell them apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotator.plans.draw import Codes, Floats, draw_systematic, inclusion_probabilities
from db.domain.plans import PlanDesign


@dataclass(frozen=True)
class Chosen:
    """The images of a plan, in the order in which a person sees them. All (n,).

    places: among the images that could be chosen. probability: of being in the plan. certain: no matter of chance.
    """

    places: Codes
    probability: Floats
    certain: npt.NDArray[np.bool_]


def make_plan(error_probability: Floats, scores: Floats, strata: Codes, design: PlanDesign) -> Chosen:
    """Return the images that a design chooses; the same design of the same images chooses the same ones.

    error_probability, scores, strata: (N,); scores say how much there is to learn from an image (see `draw`).

    Raises:
        ValueError: the design wants more images than there are.
    """
    if design.images > len(scores):
        raise ValueError(f"a plan of {design.images} images cannot be drawn from {len(scores)}")
    rng = np.random.default_rng(design.seed)
    # Equal ones by chance: no camera is preferred by the order of its files.
    falling = np.lexsort((rng.random(len(scores)), -error_probability))
    certain, rest = falling[: design.certain], np.sort(falling[design.certain :])
    probability = inclusion_probabilities(scores[rest], size=design.drawn, floor_share=design.floor_share)
    drawn = draw_systematic(probability, strata[rest], rng=rng)
    places = np.concatenate([certain, rest[drawn]])
    chances = np.concatenate([np.ones(len(certain)), probability[drawn]])
    order = rng.permutation(len(places))
    return Chosen(places[order], chances[order], (np.arange(len(places)) < len(certain))[order])


def make_unit_plan(scores: Floats, units: Codes, strata: Codes, design: PlanDesign) -> Chosen:
    """Return all images of the whole units that a design draws, unit by unit in an order by chance.

    scores: (N,), of images. units: (N,) codes 0..U-1. strata: (U,), in whose order units are stepped through. A unit is
    drawn in proportion to the sum of its images' scores: as much as its total may be wrong where its images share their
    errors; mixed with equal parts for all units.

    Source: Särndal, Swensson and Wretman 1992, section 4.2 (single-stage clusters of unequal sizes).
    """
    rng = np.random.default_rng(design.seed)
    probability = unit_probabilities(scores, units, units_drawn=design.units, floor_share=design.floor_share)
    drawn = rng.permutation(draw_systematic(probability, strata, rng=rng))
    order = np.full(len(probability), -1, dtype=np.int64)
    order[drawn] = np.arange(len(drawn))
    places = np.flatnonzero(order[units] >= 0)
    places = places[np.argsort(order[units[places]], kind="stable")]
    return Chosen(places, probability[units[places]], np.zeros(len(places), dtype=bool))


def unit_probabilities(scores: Floats, units: Codes, *, units_drawn: float, floor_share: float) -> Floats:
    """Return each whole unit's probability to be drawn. (U,)"""
    return inclusion_probabilities(
        np.bincount(units, weights=scores).astype(np.float64), size=units_drawn, floor_share=floor_share
    )


def units_for(images: int, scores: Floats, units: Codes, *, floor_share: float) -> int:
    """Return how many whole units have together about so many images, as the draw goes.

    >>> units_for(20, np.ones(40), np.repeat(np.arange(4), 10), floor_share=1.0)
    2
    """
    sizes = np.bincount(units)
    low, high = 0, len(sizes)
    while high > low:  # the most units whose expected images are not more than asked for
        middle = (low + high + 1) // 2
        chances = unit_probabilities(scores, units, units_drawn=middle, floor_share=floor_share)
        low, high = (middle, high) if float((chances * sizes).sum()) <= images + 0.5 else (low, middle - 1)
    return low


def probabilities_of(error_probability: Floats, scores: Floats, design: PlanDesign) -> Floats:
    """Return every image's probability to be in a plan of this design. (N,)"""
    found = np.ones(len(scores))
    rest = np.argsort(-error_probability, kind="stable")[design.certain :]
    found[rest] = inclusion_probabilities(scores[rest], size=design.drawn, floor_share=design.floor_share)
    return found
