"""The image's final answer: one rule for the two heads' and the second stage's predictions, used wherever one is given.

1. The first stage's prediction is the mean of its two heads' distributions.
2. The second stage evaluates every detection's crop. Its prediction of the image: no fish as far as its surest fish
leaves
   room for that; the species are the crops' own, each crop counted by its detection's confidence and by how surely it
   shows a fish at all. So several fish vote, and a false box hardly counts.
3. The final distribution is the weighted mean of both, with the second stage's weight as fitted on held-out cameras.
   Without a second stage, or where nothing was detected, the first stage's prediction stands.

The mean of calibrated predictions is the linear prediction pool (Stone 1961); it keeps log loss bounded where one of
them is sure and wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Distribution = tuple[float, ...]
# Smaller sums of votes have lost the digits that shares are made of.
_NOTHING = 1e-300


@dataclass(frozen=True)
class CropPrediction:
    """What the second stage says of one image. species: the axis of the distributions.

    crops: one a detection, in their order. image: of all of them, None where nothing was detected. weight: its share
    in the final answer. embeddings: what a crop's neighbours are found by, one a detection, little-endian float16; none
    where the model version does not hear them.
    """

    species: tuple[str, ...]
    crops: tuple[Distribution, ...]
    image: Distribution | None
    weight: float
    embeddings: tuple[bytes, ...] = ()


def final_probabilities(
    box: Sequence[float], heatmap: Sequence[float], crops: Sequence[float] | None = None, *, weight: float = 0.0
) -> Distribution:
    """Return an image's final species distribution.

    box, heatmap: the two heads'. crops: the second stage's prediction of the image. weight: its share, 0..1.

    >>> final_probabilities([0.5, 0.5], [0.7, 0.3])
    (0.6, 0.4)
    >>> final_probabilities([0.5, 0.5], [0.7, 0.3], [0.0, 1.0], weight=0.5)
    (0.3, 0.7)
    """
    first = [(one + other) / 2.0 for one, other in zip(box, heatmap, strict=True)]
    if crops is None:
        return tuple(first)
    return tuple((1.0 - weight) * one + weight * other for one, other in zip(first, crops, strict=True))


def image_prediction(
    crops: Sequence[Sequence[float]], confidences: Sequence[float], *, no_fish: int
) -> Distribution | None:
    """Return the second stage's species distribution of an image; None where nothing was detected.

    crops: a distribution a detection. confidences: the detections' own. no_fish: its place on the species axis.

    >>> image_prediction([[0.75, 0.25]], [0.5], no_fish=1)
    (0.75, 0.25)
    >>> image_prediction([], [], no_fish=1) is None
    True
    """
    if not crops:
        return None
    empty = min(crop[no_fish] for crop in crops)
    votes = [
        sum(confidence * crop[place] for crop, confidence in zip(crops, confidences, strict=True))
        for place in range(len(crops[0]))
    ]
    votes[no_fish] = 0.0
    total = sum(votes)
    if total < _NOTHING:
        return tuple(1.0 if place == no_fish else 0.0 for place in range(len(votes)))
    return tuple(empty if place == no_fish else (1.0 - empty) * vote / total for place, vote in enumerate(votes))


def most_probable(probabilities: Sequence[float], species: Sequence[str]) -> str:
    """Return the species with the largest probability, the first of equals.

    >>> most_probable([0.2, 0.8], ["ALB", "BET"])
    'BET'
    """
    return species[max(range(len(probabilities)), key=probabilities.__getitem__)]
