"""The tables of labels and their boxes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import BigId, Moment


class LabelImportRow(Base):
    """One import of label files. Of an image, what the last import in force said counts."""

    __tablename__ = "label_imports"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    source: Mapped[str] = mapped_column(String(16))
    path: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(Moment)


class ImportedLabelRow(Base):
    """Which label an import gave an image."""

    __tablename__ = "imported_labels"

    import_id: Mapped[int] = mapped_column(ForeignKey("label_imports.id"), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), primary_key=True, index=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("labels.id"), index=True)


class LabelRow(Base):
    """What label files said of a content; the same saying is held once, whichever imports say it."""

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
