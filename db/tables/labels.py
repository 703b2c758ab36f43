"""The tables of labels and their boxes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Float, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import BigId, Moment


class LabelRow(Base):
    """What a label file said of a content; the same saying is held once, the newest one counts."""

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("image_id", "digest"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    digest: Mapped[str] = mapped_column(String(64))
    species: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(16))
    place: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)


class LabelBoxRow(Base):
    """One labelled fish."""

    __tablename__ = "label_boxes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("labels.id"), index=True)
    species: Mapped[str] = mapped_column(String(64))
    x_min: Mapped[float] = mapped_column(Float(53))
    y_min: Mapped[float] = mapped_column(Float(53))
    x_max: Mapped[float] = mapped_column(Float(53))
    y_max: Mapped[float] = mapped_column(Float(53))
    points: Mapped[dict[str, list[float]] | None] = mapped_column(JSON)
