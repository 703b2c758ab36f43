"""The chance that an image is wrong: by a rule before anyone answered, by a fit on people's answers after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from db.domain.predictions import Agreement

Floats = npt.NDArray[np.float64]

PARTS = (
    "agreement",
    "iou",
    "species_distance",
    "box_entropy",
    "heatmap_entropy",
    "box_confidence",
    "heatmap_confidence",
    "fish_count",
)
# Beyond this many fish one more says nothing more.
MOST_FISH = 4


@dataclass(frozen=True)
class ErrorFit:
    """A logistic model of "this image is wrong". parts: a weight each, in the order of `PARTS`.

    species, cameras: what is added for an image predicted as this species, or of this camera; 0 for one that nobody
    answered yet.
    """

    intercept: float
    parts: tuple[float, ...]
    species: Mapping[str, float] = field(default_factory=dict)
    cameras: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.parts) != len(PARTS):
            raise ValueError(f"a fit has {len(PARTS)} weights of parts, found {len(self.parts)}")


def error_probability_by_rule(agreement: npt.ArrayLike) -> Floats:
    """Return the chance to be wrong as long as there is no fit: what is missing from full agreement.

    >>> error_probability_by_rule([0.25, 1.0]).tolist()
    [0.75, 0.0]
    """
    return np.clip(1.0 - np.asarray(agreement, dtype=np.float64), 0.0, 1.0)


def chance_wrong(fit: ErrorFit, parts: Floats, *, species: Sequence[str], cameras: Sequence[str]) -> Floats:
    """Return the chance of each image to be wrong, (N,), 0..1. parts: (N, P), as `parts_of` gives them.

    >>> fit = ErrorFit(0.0, (0.0,) * 8, {"BET": 1.0})
    >>> chance_wrong(fit, np.zeros((2, 8)), species=["ALB", "BET"], cameras=["", ""]).round(2).tolist()
    [0.5, 0.73]
    """
    logits = fit.intercept + parts @ np.asarray(fit.parts, dtype=np.float64)  # (N,)
    logits += np.array([fit.species.get(name, 0.0) for name in species])
    logits += np.array([fit.cameras.get(name, 0.0) for name in cameras])
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0))))


def parts_of(agreements: Sequence[Agreement]) -> Floats:
    """Return the parts of some images' agreement, (N, P), in the order of `PARTS`."""
    return parts_from(
        [
            (
                one.score,
                one.iou,
                one.species_distance,
                one.box_entropy,
                one.heatmap_entropy,
                one.box_confidence,
                one.heatmap_confidence,
                one.fish_count,
            )
            for one in agreements
        ]
    )


def parts_from(rows: Sequence[Sequence[float]]) -> Floats:
    """Return parts read in the order of `PARTS` as (N, P)."""
    parts = np.asarray(rows, dtype=np.float64).reshape(-1, len(PARTS))
    parts[:, -1] = np.minimum(parts[:, -1], MOST_FISH)
    return parts
