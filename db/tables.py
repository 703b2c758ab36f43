"""The tables. A row of `images` is a content, a row of `files` is a place where it lies; results belong to contents."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
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

from db.base import Base

# SQLite gives row ids of its own only to INTEGER keys.
BigId = BigInteger().with_variant(Integer, "sqlite")
Moment = DateTime(timezone=True)


class CameraRow(Base):
    """One fixed viewpoint."""

    __tablename__ = "cameras"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)


class FolderRow(Base):
    """A folder of the disk; its path is bytes, because names need not be UTF-8."""

    __tablename__ = "folders"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[bytes] = mapped_column(LargeBinary)
    # Unique by digest: Postgres cannot index a 4,096-byte path.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("cameras.id"))


class ImageRow(Base):
    """A content, known by its SHA-256."""

    __tablename__ = "images"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    width_px: Mapped[int | None] = mapped_column(Integer)
    height_px: Mapped[int | None] = mapped_column(Integer)
    captured_at: Mapped[str | None] = mapped_column(String(40))
    # The picture's own camera, where it is not its folder's: a folder may hold pictures of many cameras.
    camera_id: Mapped[int | None] = mapped_column(ForeignKey("cameras.id"), index=True)
    camera_origin: Mapped[str | None] = mapped_column(String(16))


class FileRow(Base):
    """A place where a content lies; image_id is known once a worker has read the bytes, and forgotten on change."""

    __tablename__ = "files"
    __table_args__ = (UniqueConstraint("folder_id", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id"))
    name: Mapped[bytes] = mapped_column(LargeBinary(255))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    image_id: Mapped[int | None] = mapped_column(ForeignKey("images.id"), index=True)
    scan: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


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


class PromotionRow(Base):
    """One change of the champion: who was before, who came, and why."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model_version_id: Mapped[str] = mapped_column(ForeignKey("model_versions.id"))
    previous_id: Mapped[str | None] = mapped_column(ForeignKey("model_versions.id"))
    reason: Mapped[str] = mapped_column(Text)
    forced: Mapped[bool] = mapped_column()
    promoted_at: Mapped[datetime] = mapped_column(Moment)


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
    sent_at: Mapped[float | None] = mapped_column(Float(53))


def _doubt_by_rule(context: DefaultExecutionContext) -> float:
    from db.domain.doubt import doubt_by_rule  # with NumPy, which `cli status` does without

    parameters: dict[str, float] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return float(doubt_by_rule(parameters["agreement"]))


class PredictionRow(Base):
    """What one model version says of one content, once.

    doubt: the chance that it is wrong, by the fit of this number; 0 is the rule, which every prediction begins with.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("image_id", "model_version_id", "parameters"),
        Index("ix_predictions_doubt", "model_version_id", "doubt_fit", "doubt"),
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
    # What the second stage says of the picture, and its share in the final answer; NULL where there was none.
    crop_probabilities: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    crop_weight: Mapped[float | None] = mapped_column(Float(53))
    doubt: Mapped[float] = mapped_column(Float(53), default=_doubt_by_rule, server_default=text("1"))
    # Not a foreign key: no row stands for the rule.
    doubt_fit: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    heatmap: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    infer_ms: Mapped[float] = mapped_column(Float(53))
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
