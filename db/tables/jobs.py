"""The tables of jobs, their batches and items."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import BigId, Moment


class JobRow(Base):
    """One folder enqueued; the same folder (and model asked for) is the same job."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("root_digest", "model_asked"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    root_digest: Mapped[str] = mapped_column(String(64))
    # '' follows the champion: NULLs would not be unique.
    model_asked: Mapped[str] = mapped_column(String(64), server_default="")
    created_at: Mapped[datetime] = mapped_column(Moment)


class BatchRow(Base):
    """The unit that one queue message carries; token, attempts and lease make redelivery harmless."""

    __tablename__ = "batches"
    __table_args__ = (Index("ix_batches_state_lease", "state", "lease_until"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    alone: Mapped[bool] = mapped_column(server_default=text("false"))
    token: Mapped[str | None] = mapped_column(String(32))
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    worker: Mapped[str | None] = mapped_column(String(255))
    lease_until: Mapped[float | None] = mapped_column(Float(53))
    # When its message last went out; of a claimed one, when its lease was last written.
    sent_at: Mapped[float | None] = mapped_column(Float(53))


class ItemRow(Base):
    """One image of a job, with the file's size and time when it was enqueued: a changed file is a new question."""

    __tablename__ = "items"
    __table_args__ = (UniqueConstraint("job_id", "file_id"), Index("ix_items_job_id_state", "job_id", "state"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id"), index=True)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("predictions.id"), index=True)
    reason: Mapped[str | None] = mapped_column(String(32))
    failure: Mapped[str | None] = mapped_column(Text)
