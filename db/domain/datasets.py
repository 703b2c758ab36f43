"""A data set as it is learnt from: images, who said what they show, how much that counts, and who is evaluated on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from db.domain.cameras import side_of
from db.domain.labels import ImageLabel
from db.domain.places import Place


class EntryOrigin(StrEnum):
    """Who said what an image shows; the first of these that spoke counts."""

    CORRECTION = "correction"
    LABEL = "label"
    PSEUDO = "pseudo-label"


@dataclass(frozen=True)
class DatasetEntry:
    """One image of a data set, with its camera as it was called when the data set was taken.

    source_id: of the correction, the label, or (for a pseudo-label) the prediction that `origin` names.
    weight: how much the image counts in the loss, against 1 for a label. held_out: evaluated on, never learnt from.
    """

    place: Place
    label: ImageLabel
    origin: EntryOrigin
    source_id: int
    weight: float
    held_out: bool = False


@dataclass(frozen=True)
class Dataset:
    """A stored data set with its images, in the order of their registration."""

    dataset_id: int
    sha256: str
    series_id: int
    entries: tuple[DatasetEntry, ...]

    @property
    def held_out_cameras(self) -> tuple[str, ...]:
        """The cameras that are evaluated on and have images here."""
        return tuple(sorted({entry.place.camera for entry in self.entries if entry.held_out}))


def entries_sha256(entries: Sequence[DatasetEntry]) -> str:
    """Return one hash of everything that training and evaluation depend on, whatever the order of the images."""
    lines = sorted(
        f"{entry.place.sha256} {entry.place.camera} {entry.origin} {entry.weight:g} {entry.held_out} {entry.label!r}"
        for entry in entries
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def join_series(
    members: Mapping[str, bool], images: Mapping[str, int], *, share: float, series_id: int
) -> dict[str, bool]:
    """Return the side of every camera that is new to a series: True is held out. Sides once given never change.

    New cameras join for learning, one after the other in the order of a hash that nobody can choose; one is held out
    where the held-out images have come to less than the share of all images of cameras that joined before it. A camera
    that may be one of the series takes that one's side.

    members: the sides given so far. images: how many each camera has, the new ones included.

    >>> join_series({"a": True, "b": False}, {"a": 10, "b": 40, "c": 70, "d": 5}, share=0.2, series_id=1)
    {'c': False, 'd': True}
    >>> join_series({"a": True, "b": False}, {"a": 10, "a~2": 40, "b": 40}, share=0.2, series_id=1)
    {'a~2': True}
    """
    sides = dict(members)
    joined: dict[str, bool] = {}
    for camera in sorted(set(images) - set(members), key=lambda name: _lot(series_id, name)):
        held = _sum(images, (name for name, side in sides.items() if side))
        everything = _sum(images, sides)
        alike = [side for name, side in sides.items() if side_of(name) == side_of(camera)]
        sides[camera] = joined[camera] = alike[0] if alike else bool(sides) and held < share * everything
    return joined


def _lot(series_id: int, camera: str) -> str:
    return hashlib.sha256(f"{series_id} {camera}".encode()).hexdigest()


def _sum(images: Mapping[str, int], cameras: Iterable[str]) -> int:
    return sum(images.get(camera, 0) for camera in cameras)
