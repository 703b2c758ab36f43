"""What a quick review of a job shows next: the likeliest wrong images that nobody decided on or has open just now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.orm import Session

from db.store.duplicates import is_answered_by_duplicate, is_lent_by_duplicate
from db.store.reviews import decided
from db.tables.jobs import ItemRow
from db.tables.predictions import PredictionRow
from db.tables.reviews import CorrectionRow, ReviewExportRow, ReviewItemRow

# Instead of the folder that an export is written to, which a quick review has none of: open while its page is shown.
OPEN = b"quick review, open"
CLOSED = b"quick review"


def next_of_job(session: Session, job_id: int, *, limit: int, lent_since: datetime) -> list[int]:
    """Return the ids of up to `limit` predictions of a job, the likeliest wrong first.

    lent_since: images that a quick review showed after this moment are somebody's; they come again later if nobody
    answers.
    """
    return list(session.scalars(_waiting(job_id, lent_since=lent_since).limit(limit)))


def count_of_job(session: Session, job_id: int, *, lent_since: datetime) -> int:
    """Return how many images of a job wait, as `next_of_job` chooses them."""
    waiting = _waiting(job_id, lent_since=lent_since).subquery()
    return session.scalar(select(func.count()).select_from(waiting)) or 0


def close_pages(session: Session, export_ids: Sequence[str]) -> None:
    """Let others have what was shown on these pages and not answered. The caller commits."""
    rows = update(ReviewExportRow).where(ReviewExportRow.id.in_(export_ids), ReviewExportRow.folder == OPEN)
    session.execute(rows.values(folder=CLOSED))


def _waiting(job_id: int, *, lent_since: datetime) -> Select[int]:
    answered = exists().where(CorrectionRow.image_id == PredictionRow.image_id, decided())
    lent = (
        select(ReviewItemRow.id)
        .join(ReviewExportRow, ReviewExportRow.id == ReviewItemRow.export_id)
        .where(
            ReviewItemRow.image_id == PredictionRow.image_id,
            ReviewExportRow.folder == OPEN,
            ReviewExportRow.created_at > lent_since,
        )
        .exists()
    )
    alike_lent = is_lent_by_duplicate(
        PredictionRow.image_id, ReviewExportRow.folder == OPEN, ReviewExportRow.created_at > lent_since
    )
    alike = is_answered_by_duplicate(PredictionRow.image_id) | alike_lent
    return (
        select(PredictionRow.id)
        .join(ItemRow, ItemRow.prediction_id == PredictionRow.id)
        .where(ItemRow.job_id == job_id, ~answered, ~lent, ~alike)
        .group_by(PredictionRow.id)
        .order_by(PredictionRow.error_probability.desc(), PredictionRow.id)
    )
