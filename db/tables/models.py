"""The tables of model versions and their promotions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import Moment


class ModelVersionRow(Base):
    """A model version; this row is the authority, the file must match its hash."""

    __tablename__ = "model_versions"
    __table_args__ = (
        Index(
            "uq_model_versions_one_champion",
            "state",
            unique=True,
            sqlite_where=text("state = 'champion'"),
            postgresql_where=text("state = 'champion'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64))
    # Of crops.keras, the second stage; NULL where the version has none.
    crops_sha256: Mapped[str | None] = mapped_column(String(64))
    card: Mapped[dict[str, object]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[datetime] = mapped_column(Moment)
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("datasets.id"), index=True)


class BoxShiftRow(Base):
    """What a camera's corrections say of a model's boxes there: what is added to their log odds, as fitted.

    parameters: what results say of it, see `fish_size.parameters_of_shift`. boxes: that people judged.
    """

    __tablename__ = "box_shifts"
    __table_args__ = (UniqueConstraint("model_version_id", "camera_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model_version_id: Mapped[str] = mapped_column(ForeignKey("model_versions.id"))
    camera_id: Mapped[int] = mapped_column(ForeignKey("cameras.id"), index=True)
    shift: Mapped[float] = mapped_column(Float(53))
    parameters: Mapped[str] = mapped_column(String(32))
    boxes: Mapped[int] = mapped_column(Integer)


class PromotionRow(Base):
    """One change of the champion: who was before, who came, and why."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model_version_id: Mapped[str] = mapped_column(ForeignKey("model_versions.id"))
    previous_id: Mapped[str | None] = mapped_column(ForeignKey("model_versions.id"))
    reason: Mapped[str] = mapped_column(Text)
    forced: Mapped[bool] = mapped_column()
    promoted_at: Mapped[datetime] = mapped_column(Moment)
