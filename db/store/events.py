"""Events in the store: found, read with what people said of them, and asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from db.domain.corrections import DECIDED, CorrectionOutcome
from db.domain.events import Event, EventSighting, EventState, NewEvent
from db.store.jobs import lock_job
from db.tables.events import EventQuestionRow, EventRow, EventSightingRow, FollowerRow
from db.tables.images import FileRow, FolderRow
from db.tables.jobs import ItemRow, JobRow
from db.tables.reviews import CorrectionBoxRow, CorrectionRow, ReviewItemRow

_IDS_A_QUERY = 500
_PLAIN = {"synchronize_session": False}


def add_follower(session: Session, follower_id: str, *, sha256: str, card: Mapping[str, object]) -> None:
    """Hold a network that follows animals; from now on it serves. The caller commits."""
    session.add(FollowerRow(id=follower_id, sha256=sha256, card=dict(card), created_at=datetime.now(UTC)))
    session.flush()


def newest_follower(session: Session) -> FollowerRow | None:
    """Return the network that serves, None where none was trained."""
    return session.scalars(select(FollowerRow).order_by(FollowerRow.created_at.desc(), FollowerRow.id)).first()


def replace_events(session: Session, job_id: int, events: Sequence[NewEvent], *, follower: str | None) -> None:
    """Hold a job's events instead of those it had; what people said stays, for it was said of detections.

    Raises:
        NotFoundError: no such job.
    """
    lock_job(session, job_id)
    old = select(EventRow.id).where(EventRow.job_id == job_id)
    session.execute(delete(EventSightingRow).where(EventSightingRow.event_id.in_(old)), execution_options=_PLAIN)
    session.execute(delete(EventRow).where(EventRow.job_id == job_id), execution_options=_PLAIN)
    rows = [_row(job_id, number, event, follower) for number, event in enumerate(events, start=1)]
    if not rows:
        return
    session.execute(insert(EventRow), rows)
    ids = dict(session.execute(select(EventRow.number, EventRow.id).where(EventRow.job_id == job_id)).all())
    sightings = [
        {"event_id": ids[number], "item_id": seen.item_id, "detection_id": seen.detection_id}
        for number, event in enumerate(events, start=1)
        for seen in event.sightings
    ]
    session.execute(insert(EventSightingRow), sightings)


def has_events(session: Session, job_id: int) -> bool:
    """Return whether events were found in a job."""
    return bool(session.scalar(select(func.count()).select_from(EventRow).where(EventRow.job_id == job_id)))


def events_of_job(session: Session, job_id: int) -> list[Event]:
    """Return a job's events in the order in which they were found, with what people said of them."""
    root = bytes(session.scalar(select(JobRow.root).where(JobRow.id == job_id)) or b"").rstrip(b"/") + b"/"
    found = session.execute(
        select(EventRow, FolderRow.path, FileRow.name)
        .join(ItemRow, ItemRow.id == EventRow.best_item_id)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .where(EventRow.job_id == job_id)
        .order_by(EventRow.number)
    )
    said = _answers(session, job_id)
    return [
        _event(row, (bytes(folder).rstrip(b"/") + b"/" + bytes(name)).removeprefix(root), said.get(row.id))
        for row, folder, name in found
    ]


def sightings_of_events(session: Session, job_id: int) -> dict[int, list[EventSighting]]:
    """Return the sightings of a job's events by event id, in the order of time."""
    query = (
        select(EventSightingRow)
        .join(EventRow, EventRow.id == EventSightingRow.event_id)
        .where(EventRow.job_id == job_id)
        .order_by(EventSightingRow.id)
    )
    held: dict[int, list[EventSighting]] = {}
    for row in session.scalars(query):
        held.setdefault(row.event_id, []).append(EventSighting(row.item_id, row.detection_id))
    return held


def ask_about_events(session: Session, export_id: str, questions: Mapping[int, Sequence[int]]) -> None:
    """Record which detections of an export's images stand for events. questions: by the image's number in it."""
    query = select(ReviewItemRow.number, ReviewItemRow.id).where(ReviewItemRow.export_id == export_id)
    item_ids = dict(session.execute(query).all())
    rows = [
        {"review_item_id": item_ids[number], "detection_id": detection}
        for number, detections in questions.items()
        for detection in detections
    ]
    if rows:
        session.execute(insert(EventQuestionRow), rows)


def events_to_ask(session: Session, job_id: int, *, again: bool) -> list[tuple[Event, int]]:
    """Return the events that nobody was asked about, the most doubtful first, with the prediction of the best image.

    again: also those that somebody was asked about and nobody decided.
    """
    asked = (
        select(EventSightingRow.event_id)
        .join(EventQuestionRow, EventQuestionRow.detection_id == EventSightingRow.detection_id)
        .join(EventRow, EventRow.id == EventSightingRow.event_id)
        .where(EventRow.job_id == job_id)
    )
    gone = set() if again else set(session.scalars(asked))
    predictions = dict(
        session.execute(
            select(EventRow.id, ItemRow.prediction_id)
            .join(ItemRow, ItemRow.id == EventRow.best_item_id)
            .where(EventRow.job_id == job_id)
        ).all()
    )
    waiting = [
        (event, prediction_id)
        for event in events_of_job(session, job_id)
        if event.state is EventState.UNSEEN
        and event.event_id not in gone
        and (prediction_id := predictions.get(event.event_id)) is not None
    ]
    return sorted(waiting, key=lambda one: one[0].confidence)


def _row(job_id: int, number: int, event: NewEvent, follower: str | None) -> dict[str, object]:
    return {
        "job_id": job_id,
        "number": number,
        "camera": event.camera,
        "species": event.species,
        "probabilities": dict(zip(event.species_names, event.probabilities, strict=True)),
        "started_at": event.started_at,
        "ended_at": event.ended_at,
        "lasts_s": event.lasts_s,
        "images": len({seen.item_id for seen in event.sightings}),
        "best_item_id": event.best.item_id,
        "best_detection_id": event.best.detection_id,
        "model_version_id": event.model_version,
        "follower_id": follower,
        "created_at": datetime.now(UTC),
    }


_Answer = tuple[EventState, str | None, str]


def _event(row: EventRow, path: bytes, said: _Answer | None) -> Event:
    state, species, reviewer = said or (EventState.UNSEEN, None, None)
    return Event(
        event_id=row.id,
        number=row.number,
        camera=row.camera,
        found_species=row.species,
        confidence=max(row.probabilities.values()),
        started_at=row.started_at,
        ended_at=row.ended_at,
        lasts_s=row.lasts_s,
        images=row.images,
        best=EventSighting(row.best_item_id, row.best_detection_id),
        path=path.decode("utf-8", "backslashreplace"),
        model_version=row.model_version_id,
        follower=row.follower_id,
        state=state,
        reviewed_species=species,
        reviewer=reviewer,
    )


def _answers(session: Session, job_id: int) -> dict[int, _Answer]:
    """Return what was said last of the detections that stood for events, by event id."""
    box = (CorrectionBoxRow.correction_id == CorrectionRow.id) & (
        CorrectionBoxRow.detection_id == EventQuestionRow.detection_id
    )
    query = (
        select(EventSightingRow.event_id, CorrectionRow, CorrectionBoxRow)
        .join(EventRow, EventRow.id == EventSightingRow.event_id)
        .join(EventQuestionRow, EventQuestionRow.detection_id == EventSightingRow.detection_id)
        .join(CorrectionRow, CorrectionRow.review_item_id == EventQuestionRow.review_item_id)
        .outerjoin(CorrectionBoxRow, box)
        .where(EventRow.job_id == job_id, CorrectionRow.outcome.in_([str(outcome) for outcome in DECIDED]))
        .order_by(CorrectionRow.id)
    )
    said: dict[int, _Answer] = {}
    for event_id, correction, shown in session.execute(query):
        said[event_id] = _answer(correction, shown)
    return said


def _answer(correction: CorrectionRow, box: CorrectionBoxRow | None) -> _Answer:
    """A box that was taken away is no animal; one that is not told of kept the image's species."""
    if correction.outcome == CorrectionOutcome.CONFIRMED_EMPTY or (box is not None and box.species is None):
        return EventState.NO_ANIMAL, None, correction.reviewer
    species = box.species if box is not None else correction.species
    return EventState.CONFIRMED, species, correction.reviewer
