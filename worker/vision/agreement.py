"""Measures how far all opinions of a picture say the same: the two heads' and the second stage's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from db.domain.boxes import Box, iou
from db.domain.predictions import Agreement

PLACE_SHARE = 0.2


def measure_agreement(
    *,
    box: Box | None,
    regions: Sequence[Box],
    box_probabilities: npt.ArrayLike,
    heatmap_probabilities: npt.ArrayLike,
) -> Agreement:
    """Return the agreement of the two heads, with its parts.

    box: the box head's, None where it says no fish. regions: the heat-map head's, strongest first, same pixels.
    probabilities: (S,), each sums to 1. The score is `agreement_score`'s for the species that their mean names.
    """
    first, second = np.asarray(box_probabilities, np.float64), np.asarray(heatmap_probabilities, np.float64)
    place = _place_iou(box, regions)
    return Agreement(
        score=agreement_score(int((first + second).argmax()), [first, second], place_iou=place),
        iou=place,
        species_distance=_jensen_shannon_distance(first, second),
        box_entropy=_entropy(first) / float(np.log2(len(first))),
        heatmap_entropy=_entropy(second) / float(np.log2(len(second))),
        box_confidence=min(1.0, float(first.max())),
        heatmap_confidence=min(1.0, float(second.max())),
        fish_count=len(regions),
    )


def agreement_score(
    answer: int, opinions: Sequence[npt.ArrayLike], *, place_iou: float, weights: Sequence[float] | None = None
) -> float:
    """Return how far all opinions back the picture's answer, 0..1: four parts species, one part place.

    answer: the species' place in each opinion, (S,), a distribution. weights: what each counts; all the same where
    not given. place_iou: of the two heads' boxes.

    The species part is the mean probability that the opinions give to the answer: an answer that one of them gives
    alone is doubtful, however sure that one is. The form and its share were chosen on one sample fleet and judged on
    another (docs/review.md).

    >>> round(agreement_score(0, [[0.9, 0.1], [0.5, 0.5]], place_iou=0.5), 2)
    0.66
    """
    backing = np.average([np.asarray(one, np.float64)[answer] for one in opinions], weights=weights)
    return float(np.clip((1.0 - PLACE_SHARE) * backing + PLACE_SHARE * place_iou, 0.0, 1.0))


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
