"""Events: one animal seen by one camera over a stretch of time, with the sightings that it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventState(StrEnum):
    """What a person said of an event; UNSEEN where nobody was asked or nobody decided."""

    UNSEEN = "unseen"
    CONFIRMED = "confirmed"
    NO_ANIMAL = "no animal"


@dataclass(frozen=True)
class EventSighting:
    """One detection of an event: the item whose image shows it, and its id."""

    item_id: int
    detection_id: int


@dataclass(frozen=True)
class NewEvent:
    """An animal as it was found. probabilities: of the species named in `species_names`, in their order.

    started_at, ended_at: the camera's clock, ISO 8601 without a zone; None where only the time within a video is known.
    lasts_s: from the first sighting to the last. best: the sighting that shows it best. model_version: the detector's.
    """

    camera: str
    species: str
    species_names: tuple[str, ...]
    probabilities: tuple[float, ...]
    started_at: str | None
    ended_at: str | None
    lasts_s: float
    sightings: tuple[EventSighting, ...]
    best: EventSighting
    model_version: str


@dataclass(frozen=True)
class Event:
    """A stored event. number: 1, 2, ... within the job. path: of the best image, below the job's folder.

    follower: the network that joined it, None where tracks alone did. reviewed_species: what a person said of its best
    image; reviewer: who.
    """

    event_id: int
    number: int
    camera: str
    found_species: str
    confidence: float
    started_at: str | None
    ended_at: str | None
    lasts_s: float
    images: int
    best: EventSighting
    path: str
    model_version: str
    follower: str | None
    state: EventState = EventState.UNSEEN
    reviewed_species: str | None = None
    reviewer: str | None = None

    @property
    def species(self) -> str:
        """What it is: as a person said, else as the model says."""
        return self.reviewed_species or self.found_species

    @property
    def counts(self) -> bool:
        """Whether it is an animal, as far as is known."""
        return self.state is not EventState.NO_ANIMAL


def count_events(events: list[Event]) -> dict[str, dict[str, int]]:
    """Return how many animals of each species each camera saw."""
    counted: dict[str, dict[str, int]] = {}
    for event in events:
        if event.counts:
            of_camera = counted.setdefault(event.camera, {})
            of_camera[event.species] = of_camera.get(event.species, 0) + 1
    return {camera: dict(sorted(species.items())) for camera, species in sorted(counted.items())}
