"""Review plans in the store: recorded with the folder that shows them, and never changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.domain.plans import PlanDesign, PlanItem, PlanOrigin, PlanUnit, ReviewPlan
from db.store.many_rows import insert_rows
from db.store.sql import upsert
from db.tables.plans import ReviewPlanItemRow, ReviewPlanRow
from db.tables.predictions import PredictionRow
from db.tables.reviews import CorrectionRow


def record_plan(
    session: Session, origin: PlanOrigin, design: PlanDesign, items: Iterable[PlanItem], *, export_id: str
) -> int:
    """Return the number of a new plan; the caller commits, together with the export that shows its images."""
    row = ReviewPlanRow(
        export_id=export_id,
        job_id=origin.job_id,
        model_version_id=origin.model_version,
        seed=design.seed,
        certain=design.certain,
        drawn=design.drawn,
        floor_share=design.floor_share,
        unit=design.unit.value,
        units=design.units,
        target=origin.target,
        images=origin.images,
        last_prediction_id=origin.last_prediction_id,
        last_correction_id=origin.last_correction_id,
        created_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    insert_rows(session, upsert(session, ReviewPlanItemRow), [_item_values(item, row.id) for item in items])
    return row.id


def plans_of_job(session: Session, job_id: int) -> list[ReviewPlan]:
    """Return a job's plans with their images, the oldest first."""
    rows = session.scalars(select(ReviewPlanRow).where(ReviewPlanRow.job_id == job_id).order_by(ReviewPlanRow.id))
    return [_plan(session, row) for row in rows.all()]


def draw_weights(session: Session, *, model_version: str) -> dict[int, float | None]:
    """Return by prediction what an image that was drawn by chance counts: one over its probability, 1 in a plan's mean.

    None of an image that was drawn with its whole day or trip. Of several draws the first counts. Predictions that no
    plan drew are not in it.
    """
    query = (
        select(ReviewPlanRow.id, ReviewPlanRow.unit, ReviewPlanItemRow.prediction_id, ReviewPlanItemRow.probability)
        .join(ReviewPlanItemRow, ReviewPlanItemRow.plan_id == ReviewPlanRow.id)
        .where(ReviewPlanRow.model_version_id == model_version, ~ReviewPlanItemRow.certain)
        .order_by(ReviewPlanRow.id, ReviewPlanItemRow.id)
    )
    found: dict[int, float | None] = {}
    for (_, unit), rows in groupby(session.execute(query), key=lambda row: (row.id, row.unit)):
        plan = {row.prediction_id: 1.0 / row.probability for row in rows}
        mean = sum(plan.values()) / len(plan)
        for prediction_id, weight in plan.items():
            # Rounded: what was drawn alike counts alike, whatever the last digit says.
            told = round(weight / mean, 9) if unit == PlanUnit.IMAGE.value else None
            found.setdefault(prediction_id, told)
    return found


def newest_ids(session: Session) -> tuple[int, int]:
    """Return the newest prediction and the newest correction that are held; 0 before the first."""
    prediction = session.scalar(select(func.max(PredictionRow.id)))
    correction = session.scalar(select(func.max(CorrectionRow.id)))
    return prediction or 0, correction or 0


def _item_values(item: PlanItem, plan_id: int) -> dict[str, object]:
    return {
        "plan_id": plan_id,
        "image_id": item.image_id,
        "prediction_id": item.prediction_id,
        "probability": item.probability,
        "certain": item.certain,
        "camera": item.camera,
        "day": item.day,
    }


def _plan(session: Session, row: ReviewPlanRow) -> ReviewPlan:
    held = session.scalars(
        select(ReviewPlanItemRow).where(ReviewPlanItemRow.plan_id == row.id).order_by(ReviewPlanItemRow.id)
    )
    # SQLite gives back times without their zone; all of ours are UTC.
    made = row.created_at if row.created_at.tzinfo else row.created_at.replace(tzinfo=UTC)
    return ReviewPlan(
        plan_id=row.id,
        export_id=row.export_id,
        origin=PlanOrigin(
            model_version=row.model_version_id,
            job_id=row.job_id,
            target=row.target,
            images=row.images,
            last_prediction_id=row.last_prediction_id,
            last_correction_id=row.last_correction_id,
        ),
        design=PlanDesign(row.seed, row.certain, row.drawn, row.floor_share, PlanUnit(row.unit), row.units),
        created_at=made.isoformat(timespec="seconds"),
        items=tuple(
            PlanItem(one.image_id, one.prediction_id, one.probability, one.certain, one.camera, one.day) for one in held
        ),
    )
