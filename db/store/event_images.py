"""Which images show which event, and which boxes people drew on them: to count animals from reviewed images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.domain.corrections import DECIDED
from db.domain.events import Event
from db.store.events import events_of_job
from db.tables.events import EventRow, EventSightingRow
from db.tables.images import FileRow, ImageRow
from db.tables.jobs import ItemRow
from db.tables.reviews import CorrectionBoxRow, CorrectionRow


@dataclass(frozen=True)
class EventImages:
    """A job's events with their images. images: by event id, the images that show it. event_of: by detection.

    boxes: by image, what people last said of it: detection (None where a person drew the box) and species of each
    fish. moments: by image of an event or of a person's word, when it was taken, None where no clock told.
    """

    events: tuple[Event, ...]
    images: Mapping[int, frozenset[int]]
    event_of: Mapping[int, int]
    boxes: Mapping[int, tuple[tuple[int | None, str], ...]]
    moments: Mapping[int, str | None]


def event_images(session: Session, job_id: int) -> EventImages:
    """Return a job's events with their images, and the boxes of people on any image of the job."""
    rows = session.execute(
        select(EventSightingRow.event_id, EventSightingRow.detection_id, FileRow.image_id)
        .join(EventRow, EventRow.id == EventSightingRow.event_id)
        .join(ItemRow, ItemRow.id == EventSightingRow.item_id)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .where(EventRow.job_id == job_id)
    )
    images: dict[int, set[int]] = {}
    event_of: dict[int, int] = {}
    for event_id, detection_id, image_id in rows:
        if image_id is not None:
            images.setdefault(event_id, set()).add(image_id)
            event_of[detection_id] = event_id
    return EventImages(
        events=tuple(events_of_job(session, job_id)),
        images={event_id: frozenset(held) for event_id, held in images.items()},
        event_of=event_of,
        boxes=_boxes(session, job_id),
        moments=_moments(session, job_id),
    )


def _boxes(session: Session, job_id: int) -> dict[int, tuple[tuple[int | None, str], ...]]:
    last = (
        select(func.max(CorrectionRow.id).label("id"))
        .join(FileRow, FileRow.image_id == CorrectionRow.image_id)
        .join(ItemRow, ItemRow.file_id == FileRow.id)
        .where(ItemRow.job_id == job_id, CorrectionRow.outcome.in_([outcome.value for outcome in DECIDED]))
        .group_by(CorrectionRow.image_id)
        .subquery()
    )
    query = (
        select(CorrectionRow.image_id, CorrectionBoxRow.detection_id, CorrectionBoxRow.species)
        .join(last, last.c.id == CorrectionRow.id)
        .join(CorrectionBoxRow, CorrectionBoxRow.correction_id == CorrectionRow.id)
        .where(CorrectionBoxRow.species.is_not(None))
        .order_by(CorrectionBoxRow.id)
    )
    found: dict[int, list[tuple[int | None, str]]] = {}
    for image_id, detection_id, species in session.execute(query):
        found.setdefault(image_id, []).append((detection_id, str(species)))
    return {image_id: tuple(held) for image_id, held in found.items()}


def _moments(session: Session, job_id: int) -> dict[int, str | None]:
    query = (
        select(ImageRow.id, ImageRow.captured_at)
        .join(FileRow, FileRow.image_id == ImageRow.id)
        .join(ItemRow, ItemRow.file_id == FileRow.id)
        .where(ItemRow.job_id == job_id)
    )
    return dict(session.execute(query).all())
