"""Stores what a person said of images, as an import of their export would."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Engine, select

from db.domain.corrections import BoxChange, Change, Correction, CorrectionOutcome
from db.domain.labels import ImageLabel
from db.session import transaction
from db.store.reviews import NewReviewItem, add_correction, get_export, record_export
from db.tables.images import ImageRow


def store_answers(engine: Engine, labels: Mapping[str, ImageLabel | None], *, reviewer: str = "ana") -> None:
    """Store answers by content hash, in an export of its own; None is a person who could not tell."""
    export_id = secrets.token_hex(8)
    with transaction(engine) as session:
        query = select(ImageRow.sha256, ImageRow.id).where(ImageRow.sha256.in_(labels))
        ids = dict(session.execute(query).all())
        items = [
            NewReviewItem(number, ids[sha256], None, False, "", 192, 128, ())
            for number, sha256 in enumerate(labels, start=1)
        ]
        record_export(session, items, export_id=export_id, folder=b"/r", model_version=None, flag_below=None)
        for item in get_export(session, export_id).items.values():
            add_correction(session, item, _correction(item.sha256, labels[item.sha256], export_id, reviewer))


def _correction(sha256: str, label: ImageLabel | None, export_id: str, reviewer: str) -> Correction:
    changes = tuple(BoxChange(Change.ADDED, None, box) for box in label.boxes) if label else ()
    outcome = (
        CorrectionOutcome.UNSURE
        if label is None
        else CorrectionOutcome.CONFIRMED_EMPTY
        if label.is_empty
        else CorrectionOutcome.CORRECTED
    )
    now = datetime.now(UTC).isoformat()
    return Correction(sha256, label, outcome, changes, reviewer, now, export_id, None)
