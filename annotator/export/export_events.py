"""From events to a folder for a person: the best image of each animal, so that one look answers for all of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from annotator.errors import ExportError
from annotator.export.export_flagged import ReviewExportOptions, items_of, write_recorded
from annotator.export.select import Chosen
from annotator.export.write import ExportItem, WrittenExport
from db.domain.events import Event
from db.session import reading
from db.store.events import ask_about_events, events_to_ask
from db.store.review_queue import load_candidates


def export_events(
    out: Path,
    job_id: int,
    options: ReviewExportOptions,
    *,
    engine: Engine,
    model_version: str,
    species: str | None = None,
    camera: str | None = None,
    again: bool = False,
) -> WrittenExport:
    """Return the folder written: the best image of each event that waits, the most doubtful species first.

    Animals whose best image is the same are shown in it together. again: also what was exported and not answered.

    Raises:
        ExportError: no event waits, or the folder cannot be written. DatabaseError: the store cannot be used.
    """
    with reading(engine) as session:
        waiting = [
            (event, prediction)
            for event, prediction in events_to_ask(session, job_id, again=again)
            if species in (None, event.species) and camera in (None, event.camera)
        ]
        shown: dict[int, list[Event]] = defaultdict(list)
        for event, prediction_id in waiting:
            if prediction_id in shown or len(shown) < options.count:
                shown[prediction_id].append(event)
        candidates = load_candidates(session, list(shown))
    items = [_told(item, shown) for item in items_of([Chosen(one, False) for one in shown], candidates, options)]
    if not items:
        raise ExportError(f"job {job_id}: no event waits for a person; `cli events find {job_id}` looks for them")

    def record(session: Session, written: WrittenExport) -> None:
        questions = {
            one.number: [event.best.detection_id for event in shown[one.item.prediction_id]]
            for one in written.items
            if one.item.prediction_id is not None
        }
        ask_about_events(session, written.export_id, questions)

    return write_recorded(out, items, options, engine=engine, model_version=model_version, record_more=record)


def _told(item: ExportItem, shown: dict[int, list[Event]]) -> ExportItem:
    """Say which animals an image stands for."""
    events = shown[item.prediction_id] if item.prediction_id is not None else []
    told = ", ".join(f"event {event.number}: {event.species} in {event.images} images" for event in events)
    return replace(item, why=f"{told}; {item.why}")
