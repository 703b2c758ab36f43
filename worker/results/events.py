"""One row an event, for spreadsheets: every animal once, with when it was seen and its best image."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from db.domain.events import Event
from db.domain.results import ImageResult
from worker.results.as_csv import harmless
from worker.results.files import new_file
from worker.results.options import Export

COLUMNS = (
    "event",
    "camera",
    "species",
    "confidence",
    "found_species",
    "started_at",
    "ended_at",
    "lasts_s",
    "images",
    "best_image",
    "state",
    "reviewed_by",
    "model",
    "follower",
)


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the table; images themselves have no row, so nothing is left out."""
    deque(results, maxlen=0)  # they are counted as they pass
    with new_file(out) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(_row(event) for event in export.events)
    return []


def event_to_json(event: Event) -> dict[str, object]:
    """Return an event's entry in the JSON document."""
    return {
        "event": event.number,
        "camera": event.camera,
        "species": event.species,
        "found_species": event.found_species,
        "confidence": event.confidence,
        "started_at": event.started_at,
        "ended_at": event.ended_at,
        "lasts_s": event.lasts_s,
        "images": event.images,
        "best_image": event.path,
        "best_detection": event.best.detection_id,
        "state": str(event.state),
        "reviewer": event.reviewer,
        "model": event.model_version,
        "follower": event.follower,
    }


def _row(event: Event) -> list[object]:
    return [
        event.number,
        harmless(event.camera),
        harmless(event.species),
        f"{event.confidence:.4f}",
        harmless(event.found_species),
        event.started_at or "",
        event.ended_at or "",
        f"{event.lasts_s:.1f}",
        event.images,
        harmless(event.path),
        str(event.state),
        harmless(event.reviewer or ""),
        event.model_version,
        event.follower or "",
    ]
