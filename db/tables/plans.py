"""The tables of review plans: every probability is stored before anyone looks at an image."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import BigId, Moment


class ReviewPlanRow(Base):
    """One plan. job_id: NULL where it was drawn from everything that waits for a person (`cli review export`).

    seed, certain, drawn, floor_share, unit, units: the design; unit: what is drawn whole, units: how many of it.
    target: as it was asked for, '' where a budget was. images: how many could be drawn. last_prediction_id,
    last_correction_id: the newest that were held; later ones are not of the plan.
    """

    __tablename__ = "review_plans"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    export_id: Mapped[str] = mapped_column(ForeignKey("review_exports.id"), unique=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    model_version_id: Mapped[str] = mapped_column(ForeignKey("model_versions.id"))
    seed: Mapped[int] = mapped_column(BigInteger)
    certain: Mapped[int] = mapped_column(Integer)
    drawn: Mapped[int] = mapped_column(Integer)
    floor_share: Mapped[float] = mapped_column(Float(53))
    unit: Mapped[str] = mapped_column(String(16), server_default="image")
    units: Mapped[int] = mapped_column(Integer, server_default="0")
    target: Mapped[str] = mapped_column(String(255), server_default="")
    images: Mapped[int] = mapped_column(BigInteger)
    last_prediction_id: Mapped[int] = mapped_column(BigInteger)
    last_correction_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Moment)


class ReviewPlanItemRow(Base):
    """One image of a plan. probability: of being in it, above 0 to 1; certain: it was no matter of chance.

    camera, day: as they were called when it was drawn.
    """

    __tablename__ = "review_plan_items"
    __table_args__ = (
        UniqueConstraint("plan_id", "image_id"),
        Index("ix_review_plan_items_image_id", "image_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("review_plans.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"), index=True)
    probability: Mapped[float] = mapped_column(Float(53))
    certain: Mapped[bool] = mapped_column()
    camera: Mapped[str] = mapped_column(String(255))
    day: Mapped[str | None] = mapped_column(String(10))
