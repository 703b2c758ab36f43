"""The report's page of events: a timeline for each camera and day, and each animal with its images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from db.domain.events import Event, EventSighting

TIMELINE_UNITS = 1000
_LEAST_UNITS = 4
_MOST_IMAGES = 24
NO_CLOCK = "no clock"


@dataclass(frozen=True)
class EventImage:
    """An image of an event that the report holds. file: relative to the report."""

    item_id: int
    file: str


@dataclass(frozen=True)
class EventMark:
    """An event on its timeline. start, width: in parts of `TIMELINE_UNITS`. best: None where it was not drawn."""

    event: Event
    start: int
    width: int
    best: EventImage | None
    images: tuple[EventImage, ...]

    @property
    def when(self) -> str:
        """The time of day, for people."""
        return self.event.started_at[11:19] if self.event.started_at else f"for {self.event.lasts_s:.0f} s"

    @property
    def extent(self) -> str:
        """How many images it is in, and for how long, for people."""
        if self.event.images == 1:
            return "1 image"
        return f"{self.event.images} images in {self.event.lasts_s:.1f} s"


@dataclass(frozen=True)
class CameraDay:
    """One camera's events of one day, in the order of time. begins, ends: of the timeline; '' without a clock."""

    camera: str
    day: str
    begins: str
    ends: str
    marks: tuple[EventMark, ...]


def camera_days(
    events: Sequence[Event], sightings: Mapping[int, Sequence[EventSighting]], folder: Path
) -> list[CameraDay]:
    """Return the timelines of a report. folder: of the report; images that were not drawn are left out."""
    groups: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        groups[event.camera, event.started_at[:10] if event.started_at else NO_CLOCK].append(event)
    return [_camera_day(camera, day, held, sightings, folder) for (camera, day), held in sorted(groups.items())]


def image_of(item_id: int, folder: Path) -> EventImage | None:
    """Return the report's copy of an item's image, None where it was not drawn."""
    name = f"images/{item_id:06d}.jpg"
    return EventImage(item_id, name) if (folder / name).is_file() else None


def _camera_day(
    camera: str,
    day: str,
    events: list[Event],
    sightings: Mapping[int, Sequence[EventSighting]],
    folder: Path,
) -> CameraDay:
    if day == NO_CLOCK:
        places = [(number / len(events), 1 / len(events)) for number in range(len(events))]
        begins = ends = ""
    else:
        events = sorted(events, key=lambda event: event.started_at or "")
        spans = [(_seconds(event.started_at), event.lasts_s) for event in events]
        first_s = spans[0][0]
        whole_s = max(1.0, max(start_s + lasts_s for start_s, lasts_s in spans) - first_s)
        places = [((start_s - first_s) / whole_s, lasts_s / whole_s) for start_s, lasts_s in spans]
        begins = (events[0].started_at or "")[11:19]
        ends = max(event.ended_at or "" for event in events)[11:19]
    marks = tuple(
        EventMark(
            event,
            start=min(round(start * TIMELINE_UNITS), TIMELINE_UNITS - _LEAST_UNITS),
            width=max(round(share * TIMELINE_UNITS), _LEAST_UNITS),
            best=image_of(event.best.item_id, folder),
            images=_images(sightings.get(event.event_id, ()), folder),
        )
        for event, (start, share) in zip(events, places, strict=True)
    )
    return CameraDay(camera, day, begins, ends, marks)


def _images(seen: Sequence[EventSighting], folder: Path) -> tuple[EventImage, ...]:
    found = (image_of(item_id, folder) for item_id in dict.fromkeys(one.item_id for one in seen))
    return tuple(one for one in found if one is not None)[:_MOST_IMAGES]


def _seconds(moment: str | None) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
