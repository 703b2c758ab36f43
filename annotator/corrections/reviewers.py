"""Where people differ: the same images answered by several, and the cases that are still open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from scipy.optimize import linear_sum_assignment

from db.domain.box_overlaps import box_iou_batch
from db.domain.corrections import Correction
from db.domain.labels import ImageLabel

# The usual bar for "the same box" since PASCAL VOC.
SAME_BOX_IOU = 0.5


@dataclass(frozen=True)
class ReviewersReport:
    """How several people's answers compare, pair by pair.

    confusion: how often one person's species met another's, in alphabetical order. mean_iou: of the boxes that two
    people drew around the same fish. open_cases: content hashes whose newest answer nobody else gave.
    """

    images: int
    pairs: int
    agreeing: int
    confusion: dict[tuple[str, str], int]
    mean_iou: float | None
    open_cases: tuple[str, ...]


def compare_reviewers(answers: Mapping[str, Mapping[str, Correction]]) -> ReviewersReport:
    """Return how the people agree; answers: by content hash, then by reviewer, the newest answer last."""
    pairs = [pair for said in answers.values() for pair in combinations(_labels(said.values()), 2)]
    overlaps = [overlap for pair in pairs for overlap in _overlaps(*pair) if overlap >= SAME_BOX_IOU]
    species = Counter(tuple(sorted((first.species, second.species))) for first, second in pairs)
    return ReviewersReport(
        images=len(answers),
        pairs=len(pairs),
        agreeing=sum(say_the_same(*pair) for pair in pairs),
        confusion={(first, second): count for (first, second), count in species.items()},
        mean_iou=sum(overlaps) / len(overlaps) if overlaps else None,
        open_cases=tuple(sha256 for sha256, said in answers.items() if _is_open(_labels(said.values()))),
    )


def say_the_same(first: ImageLabel, second: ImageLabel) -> bool:
    """Return whether two answers name the same fish in the same places.

    >>> say_the_same(ImageLabel("NoF"), ImageLabel("ALB"))
    False
    """
    if first.species != second.species or len(first.boxes) != len(second.boxes):
        return False
    return all(
        overlap >= SAME_BOX_IOU and first.boxes[a].species == second.boxes[b].species
        for a, b, overlap in _matches(first, second)
    )


def _is_open(labels: list[ImageLabel]) -> bool:
    return not any(say_the_same(labels[-1], other) for other in labels[:-1])


def _labels(said: Iterable[Correction]) -> list[ImageLabel]:
    return [correction.label for correction in said if correction.label is not None]


def _overlaps(first: ImageLabel, second: ImageLabel) -> list[float]:
    return [overlap for _, _, overlap in _matches(first, second)]


def _matches(first: ImageLabel, second: ImageLabel) -> list[tuple[int, int, float]]:
    """Pair the boxes so that their overlaps are largest in all."""
    overlaps = box_iou_batch(
        [labelled.box.xyxy for labelled in first.boxes], [labelled.box.xyxy for labelled in second.boxes]
    )
    rows, columns = linear_sum_assignment(-overlaps)
    return [(int(a), int(b), float(overlaps[a, b])) for a, b in zip(rows, columns, strict=True)]
