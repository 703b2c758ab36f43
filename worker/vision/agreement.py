"""Measures how far all predictions of an image say the same: the two heads' and the second stage's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from db.domain.boxes import Box, iou
from db.domain.predictions import Agreement


def measure_agreement(
    *,
    box: Box | None,
    regions: Sequence[Box],
    box_probabilities: npt.ArrayLike,
    heatmap_probabilities: npt.ArrayLike,
    no_fish_index: int,
) -> Agreement:
    """Return the agreement of the two heads, with its parts.

    box: the box head's, None where it says no fish. regions: the heat-map head's, strongest first, same pixels.
    box_probabilities, heatmap_probabilities: (S,), each sums to 1. The score is `agreement_score`'s, without a second
    stage.
    """
    first, second = np.asarray(box_probabilities, np.float64), np.asarray(heatmap_probabilities, np.float64)
    mean, place = (first + second) / 2, _place_iou(box, regions)
    answer = int(mean.argmax())
    return Agreement(
        score=agreement_score(first_stage=mean[answer], place_iou=1.0 if answer == no_fish_index else place),
        iou=place,
        species_distance=_jensen_shannon_distance(first, second),
        box_entropy=_entropy(first) / float(np.log2(len(first))),
        heatmap_entropy=_entropy(second) / float(np.log2(len(second))),
        box_confidence=min(1.0, float(first.max())),
        heatmap_confidence=min(1.0, float(second.max())),
        fish_count=len(regions),
    )


def agreement_score(
    *, first_stage: float, place_iou: float, final: float | None = None, clearest_crop: float | None = None
) -> float:
    """Return how far everything backs the image's answer, 0..1: the mean of four figures.

    first_stage, final, clearest_crop: the probability that the two heads' mean, the final distribution and the one
    crop that shows it best give to the answer; the first stage's where there is no other. place_iou: of the two heads'
    boxes, 1 for an answer of no fish, which has no place.

    An answer that one prediction gives alone is doubtful, however sure that one is. The figures were chosen on two
    sample fleets and evaluated on a third (docs/review.md).

    >>> agreement_score(first_stage=0.5, final=0.75, clearest_crop=1.0, place_iou=0.25)
    0.625
    """
    backing = [first_stage, *(first_stage if one is None else one for one in (final, clearest_crop))]
    return float(np.clip((sum(backing) + place_iou) / 4.0, 0.0, 1.0))


def _place_iou(box: Box | None, regions: Sequence[Box]) -> float:
    if box is None or not regions:
        return 1.0 if box is None and not regions else 0.0
    return iou(box, regions[0])


def _jensen_shannon_distance(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """The square root of the divergence in bits, 0..1. Source: Endres and Schindelin 2003."""
    divergence = _entropy((first + second) / 2) - (_entropy(first) + _entropy(second)) / 2
    return float(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def _entropy(probabilities: npt.NDArray[np.float64]) -> float:
    seen = probabilities[probabilities > 0]
    return abs(float((seen * np.log2(seen)).sum()))
