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


def probabilities_of(error_probability: Floats, scores: Floats, design: PlanDesign) -> Floats:
    """Return every image's probability to be in a plan of this design. (N,)"""
    found = np.ones(len(scores))
    rest = np.argsort(-error_probability, kind="stable")[design.certain :]
    found[rest] = inclusion_probabilities(scores[rest], size=design.drawn, floor_share=design.floor_share)
    return found
