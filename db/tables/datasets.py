"""The tables of retraining: data sets as they were learnt from, the cameras they are evaluated on, and every run."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import BigId, Moment


class DatasetSeriesRow(Base):
    """Data sets that are evaluated on the same cameras, so that their models' figures compare."""

    __tablename__ = "dataset_series"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    held_out_share: Mapped[float] = mapped_column(Float(53))
    created_at: Mapped[datetime] = mapped_column(Moment)


class SeriesCameraRow(Base):
    """Which side of a series a camera is on, for good; by name, because it is the record of what was learnt from."""

    __tablename__ = "series_cameras"
    __table_args__ = (UniqueConstraint("series_id", "camera"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("dataset_series.id"))
    camera: Mapped[str] = mapped_column(String(255))
    held_out: Mapped[bool] = mapped_column()
    joined_at: Mapped[datetime] = mapped_column(Moment)


class DatasetRow(Base):
    """One data set as it was learnt from; sha256 is of its contents, so the same contents are one data set."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("series_id", "sha256"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("dataset_series.id"))
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment)


class DatasetEntryRow(Base):
    """One image of a data set: who said what it shows (exactly one of the three), its weight, and its side."""

    __tablename__ = "dataset_entries"
    __table_args__ = (UniqueConstraint("dataset_id", "image_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    origin: Mapped[str] = mapped_column(String(16))
    correction_id: Mapped[int | None] = mapped_column(ForeignKey("corrections.id"))
    label_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"))
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("predictions.id"))
    species: Mapped[str] = mapped_column(String(64))
    camera: Mapped[str] = mapped_column(String(255))
    weight: Mapped[float] = mapped_column(Float(53))
    held_out: Mapped[bool] = mapped_column()


class RetrainingRow(Base):
    """One retraining, of which one at a time runs; token and lease as of a batch.

    schedule, due_slot: what made it due, unique: however many schedulers there are, a slot is run once.
    newest_correction_id: up to where corrections were taken in, so that new ones can be counted.
    """

    __tablename__ = "retrainings"
    __table_args__ = (
        UniqueConstraint("schedule", "due_slot"),
        Index(
            "uq_retrainings_one_running",
            "state",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    why: Mapped[str] = mapped_column(Text)
    schedule: Mapped[str | None] = mapped_column(String(32))
    due_slot: Mapped[str | None] = mapped_column(String(64))
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    token: Mapped[str | None] = mapped_column(String(32))
    holder: Mapped[str] = mapped_column(String(255))
    lease_until: Mapped[float | None] = mapped_column(Float(53))
    newest_correction_id: Mapped[int] = mapped_column(BigId, server_default=text("0"))
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("datasets.id"))
    model_version_id: Mapped[str | None] = mapped_column(ForeignKey("model_versions.id"))
    note: Mapped[str] = mapped_column(Text, server_default="")
    started_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class ScheduleRow(Base):
    """Since when a schedule says what it says: a slot before that is not made up for."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    setting: Mapped[str] = mapped_column(String(255))
    since: Mapped[datetime] = mapped_column(Moment)
