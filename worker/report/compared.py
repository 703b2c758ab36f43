"""Two model versions on the same images: where they differ, and who is right where a person decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from db.store.compared_models import ComparedAnswers
from worker.report.review import Confusion, confusion_of

# Of a job that many versions answered, the newest of them are compared with the newest of all.
MOST_PAIRS = 4
MOST_NAMED = 60


@dataclass(frozen=True)
class DifferingImage:
    """An image that two versions call differently. said: what a person called it, '' where nobody decided."""

    item_id: int
    name: str
    older: str
    newer: str
    said: str


@dataclass(frozen=True)
class ComparedPair:
    """Two versions. table: the older's species by the newer's. decided: images of which a person said what they show.

    older_right, newer_right: of these, those that a version called as the person did. differing: of the images that
    are in the report those that they call differently, at most MOST_NAMED.
    """

    older: str
    newer: str
    table: Confusion
    decided: int
    older_right: int
    newer_right: int
    differing: tuple[DifferingImage, ...]


def compared_pairs(
    found: ComparedAnswers | None, order: tuple[str, ...], *, shown: Mapping[int, str]
) -> list[ComparedPair]:
    """Return each earlier version against the newest, the latest first. shown: names of the report's items, by id."""
    if found is None:
        return []
    *earlier, newest = found.by_model
    pairs = [_pair(found, older, newest, order, shown) for older in reversed(earlier[-MOST_PAIRS:])]
    return [pair for pair in pairs if pair.table.images]


def _pair(
    found: ComparedAnswers, older: str, newer: str, order: tuple[str, ...], shown: Mapping[int, str]
) -> ComparedPair:
    first, second = found.by_model[older], found.by_model[newer]
    both = sorted(first.keys() & second.keys())
    decided = [image for image in both if image in found.said]
    differing = [
        DifferingImage(item, shown[item], first[image], second[image], found.said.get(image, ""))
        for image in both
        if first[image] != second[image] and (item := found.items[image]) in shown
    ]
    named = Counter((first[image], second[image]) for image in both)
    return ComparedPair(
        older,
        newer,
        confusion_of(f"{older} against {newer}", named, order),
        len(decided),
        _right(first, found.said, decided),
        _right(second, found.said, decided),
        tuple(sorted(differing, key=lambda one: one.item_id)[:MOST_NAMED]),
    )


def _right(answers: Mapping[int, str], said: Mapping[int, str], images: list[int]) -> int:
    return sum(answers[image] == said[image] for image in images)
