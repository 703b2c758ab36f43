"""Which crop files the database names, and of what each was cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.boxes import Box
from db.tables.images import FileRow, FolderRow, ImageRow
from db.tables.predictions import DetectionRow, PredictionRow

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class NamedCrop:
    """One crop file, as artifacts are named, and the box (xyxy, pixels of the upright image) that it shows."""

    detection_id: int
    name: str
    box: Box
    image_id: int
    sha256: str


def iterate_crops(session: Session, *, newest: int | None = None) -> Iterator[NamedCrop]:
    """Yield every named crop, the newest first; or only so many of the newest."""
    named = (
        select(DetectionRow, PredictionRow.image_id, ImageRow.sha256)
        .join(PredictionRow, PredictionRow.id == DetectionRow.prediction_id)
        .join(ImageRow, ImageRow.id == PredictionRow.image_id)
        .where(DetectionRow.crop_file.is_not(None))
        .order_by(DetectionRow.id.desc())
        .limit(newest)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    for row, image_id, sha256 in session.execute(named):
        yield NamedCrop(row.id, row.crop_file or "", Box(row.x_min, row.y_min, row.x_max, row.y_max), image_id, sha256)


def files_of(session: Session, image_id: int) -> Sequence[bytes]:
    """Return the paths at which an image's content was seen, in the order in which they came."""
    places = (
        select(FolderRow.path, FileRow.name)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .where(FileRow.image_id == image_id)
        .order_by(FileRow.id)
    )
    return [folder.rstrip(b"/") + b"/" + name for folder, name in session.execute(places)]
