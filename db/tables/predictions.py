"""The tables. A row of `images` is a content, a row of `files` is a place where it lies; results belong to contents."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import BigId, Moment


def _error_by_rule(context: DefaultExecutionContext) -> float:
    from db.domain.error_probability import error_probability_by_rule  # with NumPy, which `cli status` does without

    parameters: dict[str, float] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return float(error_probability_by_rule(parameters["agreement"]))


class PredictionRow(Base):
    """What one model version says of one content, once.

    error_probability: the chance that it is wrong, by the fit of this number; 0 is the rule, which every prediction
    begins with.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("image_id", "model_version_id", "parameters"),
        Index("ix_predictions_error", "model_version_id", "error_fit", "error_probability"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    model_version_id: Mapped[str] = mapped_column(ForeignKey("model_versions.id"))
    parameters: Mapped[str] = mapped_column(String(64))
    species: Mapped[str] = mapped_column(String(64))
    box_probabilities: Mapped[list[float]] = mapped_column(JSON)
    heatmap_probabilities: Mapped[list[float]] = mapped_column(JSON)
    agreement: Mapped[float] = mapped_column(Float(53))
    iou: Mapped[float] = mapped_column(Float(53))
    species_distance: Mapped[float] = mapped_column(Float(53))
    box_entropy: Mapped[float] = mapped_column(Float(53))
    heatmap_entropy: Mapped[float] = mapped_column(Float(53))
    box_confidence: Mapped[float] = mapped_column(Float(53))
    heatmap_confidence: Mapped[float] = mapped_column(Float(53))
    fish_count: Mapped[int] = mapped_column(Integer)
    # What the second stage says of the image, and its share in the final answer; NULL where there was none.
    crop_probabilities: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    crop_weight: Mapped[float | None] = mapped_column(Float(53))
    error_probability: Mapped[float] = mapped_column(Float(53), default=_error_by_rule, server_default=text("1"))
    # Not a foreign key: no row stands for the rule.
    error_fit: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    heatmap: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    infer_ms: Mapped[float] = mapped_column(Float(53))
    # What ran the networks; no part of what a result is unique by.
    runtime: Mapped[str] = mapped_column(String(32), server_default=text("'keras'"))
    # How far the image lies from all that the model learnt from, above 1 beyond its edge; NULL where it does not tell.
    novelty: Mapped[float | None] = mapped_column(Float(53))
    created_at: Mapped[datetime] = mapped_column(Moment)


class DetectionRow(Base):
    """One fish as one head sees it; crop_file is relative to HOME."""

    __tablename__ = "detections"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"), index=True)
    head: Mapped[str] = mapped_column(String(16))
    species: Mapped[str] = mapped_column(String(64))
    confidence: Mapped[float] = mapped_column(Float(53))
    x_min: Mapped[float] = mapped_column(Float(53))
    y_min: Mapped[float] = mapped_column(Float(53))
    x_max: Mapped[float] = mapped_column(Float(53))
    y_max: Mapped[float] = mapped_column(Float(53))
    crop_file: Mapped[str | None] = mapped_column(Text)
    # What the second stage says of this crop; NULL where there was none.
    crop_species: Mapped[str | None] = mapped_column(String(64))
    crop_confidence: Mapped[float | None] = mapped_column(Float(53))
    crop_probabilities: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    # What its neighbours are found by, little-endian float16; NULL where the model version does not hear them.
    crop_embedding: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class NeighbourAnswerRow(Base):
    """What the second stage says of a prediction's crops after a job's other crops of the camera were heard.

    prediction_id: whose crops and what each said alone. heard_digest: of all predictions that were heard, so that more
    of them, or another camera, make it stale. species: what the image is called then; NULL of answers that were made
    before this was kept. crop_probabilities: one distribution a detection, in their order.
    """

    __tablename__ = "neighbour_answers"
    __table_args__ = (UniqueConstraint("job_id", "prediction_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"), index=True)
    heard_digest: Mapped[str] = mapped_column(String(64))
    heard_images: Mapped[int] = mapped_column(Integer)
    species: Mapped[str | None] = mapped_column(String(64))
    image_probabilities: Mapped[list[float]] = mapped_column(JSON)
    crop_probabilities: Mapped[list[list[float]]] = mapped_column(JSON)
