"""The tables of reviews: what was shown to a person, and everything they ever said of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import BigId, Moment


class ReviewExportRow(Base):
    """One folder written for a person; folder is where it was written, and may have moved since.

    asked_species, asked_camera: what the choice was narrowed to; those drawn by chance stand for no others.
    """

    __tablename__ = "review_exports"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    folder: Mapped[bytes] = mapped_column(LargeBinary)
    model_version_id: Mapped[str | None] = mapped_column(ForeignKey("model_versions.id"))
    flag_below: Mapped[float | None] = mapped_column(Float(53))
    asked_species: Mapped[str | None] = mapped_column(String(64))
    asked_camera: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(Moment)


class ReviewItemRow(Base):
    """One image of an export, with the shapes exactly as they were shown.

    at_random: it was drawn by chance from the unflagged images; only these say how much the flags miss.
    """

    __tablename__ = "review_items"
    __table_args__ = (UniqueConstraint("export_id", "number"), Index("ix_review_items_at_random", "at_random"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    export_id: Mapped[str] = mapped_column(ForeignKey("review_exports.id"))
    number: Mapped[int] = mapped_column(Integer)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("predictions.id"), index=True)
    at_random: Mapped[bool] = mapped_column(server_default=text("false"))
    why: Mapped[str] = mapped_column(Text, server_default="")
    width_px: Mapped[int] = mapped_column(Integer)
    height_px: Mapped[int] = mapped_column(Integer)
    shapes: Mapped[list[dict[str, object]]] = mapped_column(JSON)


class ReviewDuplicateRow(Base):
    """An image that nobody was shown, because an image of an export shows the same: it is answered by that one."""

    __tablename__ = "review_duplicates"
    __table_args__ = (UniqueConstraint("review_item_id", "image_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    review_item_id: Mapped[int] = mapped_column(ForeignKey("review_items.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)


class CorrectionRow(Base):
    """What a person said of an image; never changed, a later row of the same image supersedes it.

    revision: 1, 2, ... within a review item; unique, so that two imports at once cannot both add the same answer.
    digest: of the answer, so that importing it again adds nothing.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        UniqueConstraint("review_item_id", "revision"),
        Index("ix_corrections_image_id_id", "image_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    review_item_id: Mapped[int] = mapped_column(ForeignKey("review_items.id"))
    revision: Mapped[int] = mapped_column(Integer)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    outcome: Mapped[str] = mapped_column(String(16))
    species: Mapped[str | None] = mapped_column(String(64))
    reviewer: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    reviewed_at: Mapped[datetime] = mapped_column(Moment)


class CorrectionBoxRow(Base):
    """What became of one box in a correction; a removed box has only `before`, an added one only `after`."""

    __tablename__ = "correction_boxes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    correction_id: Mapped[int] = mapped_column(ForeignKey("corrections.id"), index=True)
    # Not a foreign key: detections may be made anew, what was shown stays what was shown.
    detection_id: Mapped[int | None] = mapped_column(BigId)
    change: Mapped[str] = mapped_column(String(16))
    species_before: Mapped[str | None] = mapped_column(String(64))
    species: Mapped[str | None] = mapped_column(String(64))
    before_xyxy: Mapped[list[float] | None] = mapped_column(JSON)
    x_min: Mapped[float | None] = mapped_column(Float(53))
    y_min: Mapped[float | None] = mapped_column(Float(53))
    x_max: Mapped[float | None] = mapped_column(Float(53))
    y_max: Mapped[float | None] = mapped_column(Float(53))
    points: Mapped[dict[str, list[float]] | None] = mapped_column(JSON)


class ErrorFitRow(Base):
    """What turns a model's agreement parts into the chance to be wrong; the newest row of a model version counts.

    weights: None where people's answers gave nothing better than the rule. fitted_on: how many answers, cameras and
    wrong ones, up to which correction, and how well the fit does on cameras it was not fitted on.
    """

    __tablename__ = "error_fits"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model_version_id: Mapped[str] = mapped_column(ForeignKey("model_versions.id"), index=True)
    weights: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    fitted_on: Mapped[dict[str, object]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)
