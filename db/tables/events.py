"""The tables of events: animals, each with the detections that it is made of, and the networks that joined them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import BigId, Moment


class FollowerRow(Base):
    """A network that follows animals; this row is the authority, its file must match the hash. The newest serves."""

    __tablename__ = "followers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    card: Mapped[dict[str, object]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)


class EventRow(Base):
    """One animal seen by one camera of a job; found anew, all events of a job are replaced together.

    probabilities: species to probability. follower_id: None where tracks alone made it.
    """

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("job_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    number: Mapped[int] = mapped_column(Integer)
    camera: Mapped[str] = mapped_column(String(255))
    species: Mapped[str] = mapped_column(String(64))
    probabilities: Mapped[dict[str, float]] = mapped_column(JSON)
    started_at: Mapped[str | None] = mapped_column(String(40))
    ended_at: Mapped[str | None] = mapped_column(String(40))
    lasts_s: Mapped[float] = mapped_column(Float(53))
    images: Mapped[int] = mapped_column(Integer)
    best_item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), index=True)
    # Not a foreign key, as in corrections: detections may be made anew.
    best_detection_id: Mapped[int] = mapped_column(BigInteger)
    model_version_id: Mapped[str] = mapped_column(ForeignKey("model_versions.id"))
    follower_id: Mapped[str | None] = mapped_column(ForeignKey("followers.id"))
    created_at: Mapped[datetime] = mapped_column(Moment)


class EventSightingRow(Base):
    """One detection of an event. Its lineage: item to file and video, detection to prediction and model version."""

    __tablename__ = "event_sightings"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), index=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), index=True)
    detection_id: Mapped[int] = mapped_column(BigInteger, index=True)


class EventQuestionRow(Base):
    """Which detection of a review export stands for an event: what a person says of it is said of the whole event."""

    __tablename__ = "event_questions"

    review_item_id: Mapped[int] = mapped_column(ForeignKey("review_items.id"), primary_key=True)
    detection_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, index=True)
