"""What is to be said before a job's answers are believed, a line each: of its cameras, and of its images."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.domain.cameras import side_of
from db.domain.card_facts import facts_of
from db.store.cameras import cameras_of_job
from db.store.flagged import unlike
from db.tables.jobs import ItemRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import PredictionRow

_NAMED = 5


def said_of_cameras(session: Session, job_id: int, model: str) -> list[str]:
    """Return which of a job's cameras a model has never seen; nothing where its card does not name those it has."""
    card = session.scalar(select(ModelVersionRow.card).where(ModelVersionRow.id == model)) or {}
    known = {side_of(camera) for camera in facts_of(card).cameras}
    if not known:
        return []
    cameras = cameras_of_job(session, job_id)
    unseen = [camera for camera in cameras if side_of(camera) not in known]
    if not unseen:
        return []
    named = ", ".join(unseen[:_NAMED]) + (f" and {len(unseen) - _NAMED} more" if len(unseen) > _NAMED else "")
    return [f"model {model} has not seen {len(unseen)} of {len(cameras)} cameras before: {named}"]


def said_of_images(session: Session, job_id: int) -> list[str]:
    """Return how many of a job's images are unlike all that their models learnt from, where there are some."""
    answered = (
        select(PredictionRow.model_version_id, func.count(), func.count().filter(unlike()))
        .select_from(ItemRow)
        .join(PredictionRow, PredictionRow.id == ItemRow.prediction_id)
        .where(ItemRow.job_id == job_id)
        .group_by(PredictionRow.model_version_id)
        .order_by(PredictionRow.model_version_id)
    )
    return [
        f"{count} of {total} images are unlike everything that model {model} learnt from: do not believe what it says "
        "of them; label some"
        for model, total, count in session.execute(answered)
        if count
    ]
