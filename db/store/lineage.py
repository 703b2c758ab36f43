"""Tells the story of an image from every table that knows of it."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.label_imports import ImportState
from db.domain.lineage import Story, ToldDataset, ToldExport, ToldJob, ToldPrediction, ToldSaying
from db.errors import NotFoundError
from db.store.folders import path_digest
from db.store.images import camera_of_image, taken_with_of
from db.store.labels import boxes_of_labels
from db.store.reviews import history_of
from db.tables.datasets import DatasetEntryRow, DatasetRow
from db.tables.images import FileRow, FolderRow, ImageRow
from db.tables.jobs import ItemRow, JobRow
from db.tables.labels import ImportedLabelRow, LabelImportRow, LabelRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import PredictionRow
from db.tables.reviews import ReviewExportRow, ReviewItemRow

_HASH_PREFIX = re.compile(r"[0-9a-f]{6,64}")


def find_image(session: Session, wanted: bytes) -> int:
    """Return the id of the content at a path, or whose SHA-256 begins so (six hex digits at least).

    Raises:
        NotFoundError: nothing or several are meant.
    """
    path = os.path.realpath(wanted)
    folder = select(FolderRow.id).where(FolderRow.digest == path_digest(os.path.dirname(path))).scalar_subquery()
    file = session.scalars(
        select(FileRow).where(FileRow.folder_id == folder, FileRow.name == os.path.basename(path))
    ).one_or_none()
    shown = os.fsdecode(wanted)
    if file is not None and file.image_id is not None:
        return file.image_id
    if file is not None:
        raise NotFoundError(f"{shown!r}: is enqueued and was not read yet; `cli status` shows how far its job is")
    if not _HASH_PREFIX.fullmatch(shown.lower()):
        raise NotFoundError(f"{shown!r}: no image known by this path; wanted a path, or 6 or more digits of a SHA-256")
    found = list(session.scalars(select(ImageRow.id).where(ImageRow.sha256.startswith(shown.lower())).limit(2)))
    if len(found) != 1:
        raise NotFoundError(f"{shown!r}: {'no image has' if not found else 'several images have'} such a SHA-256")
    return found[0]


def story_of(session: Session, image_id: int) -> Story:
    """Return everything that is known of a content."""
    image = session.get_one(ImageRow, image_id)
    camera = session.scalar(select(camera_of_image(ImageRow.id)).where(ImageRow.id == image_id))
    return Story(
        sha256=image.sha256,
        width_px=image.width_px,
        height_px=image.height_px,
        captured_at=image.captured_at,
        taken_with=taken_with_of(image),
        note=image.note,
        camera=camera,
        files=tuple(_shown(path, name) for path, name in _files(session, image_id)),
        jobs=_jobs(session, image_id),
        predictions=_predictions(session, image_id),
        exports=_exports(session, image_id),
        sayings=tuple(sorted(_labels(session, image_id) + _corrections(session, image.sha256), key=_when)),
        datasets=_datasets(session, image_id),
    )


def _files(session: Session, image_id: int) -> list[tuple[bytes, bytes]]:
    query = select(FolderRow.path, FileRow.name).join(FolderRow, FolderRow.id == FileRow.folder_id)
    return list(session.execute(query.where(FileRow.image_id == image_id).order_by(FileRow.id)))


def _jobs(session: Session, image_id: int) -> tuple[ToldJob, ...]:
    query = (
        select(ItemRow, JobRow.model_asked, FolderRow.path, FileRow.name, PredictionRow.model_version_id)
        .join(JobRow, JobRow.id == ItemRow.job_id)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .outerjoin(PredictionRow, PredictionRow.id == ItemRow.prediction_id)
        .where(FileRow.image_id == image_id)
        .order_by(ItemRow.id)
    )
    return tuple(
        ToldJob(item.job_id, _shown(path, name), item.state, asked or None, model, item.failure)
        for item, asked, path, name, model in session.execute(query)
    )


def _predictions(session: Session, image_id: int) -> tuple[ToldPrediction, ...]:
    query = (
        select(PredictionRow, ModelVersionRow.state)
        .join(ModelVersionRow, ModelVersionRow.id == PredictionRow.model_version_id)
        .where(PredictionRow.image_id == image_id)
        .order_by(PredictionRow.id)
    )
    return tuple(
        ToldPrediction(
            model_id=row.model_version_id,
            state=state,
            species=row.species,
            agreement=row.agreement,
            error_probability=row.error_probability,
            fish_count=row.fish_count,
            predicted_at=_iso(row.created_at),
        )
        for row, state in session.execute(query)
    )


def _exports(session: Session, image_id: int) -> tuple[ToldExport, ...]:
    query = (
        select(ReviewItemRow, ReviewExportRow)
        .join(ReviewExportRow, ReviewExportRow.id == ReviewItemRow.export_id)
        .where(ReviewItemRow.image_id == image_id)
        .order_by(ReviewItemRow.id)
    )
    return tuple(
        ToldExport(
            export_id=export.id,
            folder=_shown(export.folder),
            model_id=export.model_version_id,
            why=item.why,
            at_random=item.at_random,
            exported_at=_iso(export.created_at),
        )
        for item, export in session.execute(query)
    )


def _labels(session: Session, image_id: int) -> list[ToldSaying]:
    """Return what each import said; labels that no import holds were replaced before imports had numbers."""
    query = (
        select(LabelRow, LabelImportRow)
        .outerjoin(ImportedLabelRow, ImportedLabelRow.label_id == LabelRow.id)
        .outerjoin(LabelImportRow, LabelImportRow.id == ImportedLabelRow.import_id)
        .where(LabelRow.image_id == image_id)
        .order_by(LabelImportRow.id, LabelRow.id)
    )
    rows = session.execute(query).all()
    boxes = boxes_of_labels(session, [row.id for row, _ in rows])
    return [
        ToldSaying(
            kind="label",
            who=row.place,
            species=row.species,
            boxes=len(boxes.get(row.id, ())),
            outcome=_revision_text(row, made),
            said_at=_iso(made.created_at if made is not None and made.path else row.created_at),
        )
        for row, made in rows
    ]


def _revision_text(label: LabelRow, made: LabelImportRow | None) -> str:
    if made is None:
        return f"{label.source}, replaced"
    undone = ", taken back" if made.state == ImportState.UNDONE else ""
    return f"{label.source}, import {made.id}{undone}"


def _corrections(session: Session, sha256: str) -> list[ToldSaying]:
    return [
        ToldSaying(
            kind="correction",
            who=said.reviewer,
            species=said.label.species if said.label else None,
            boxes=len(said.label.boxes) if said.label else 0,
            outcome=said.outcome.value,
            said_at=said.reviewed_at,
        )
        for said in history_of(session, sha256)
    ]


def _datasets(session: Session, image_id: int) -> tuple[ToldDataset, ...]:
    query = (
        select(DatasetEntryRow, DatasetRow.created_at)
        .join(DatasetRow, DatasetRow.id == DatasetEntryRow.dataset_id)
        .where(DatasetEntryRow.image_id == image_id)
        .order_by(DatasetEntryRow.dataset_id)
    )
    entries = session.execute(query).all()
    learnt: dict[int, list[str]] = {}
    models = select(ModelVersionRow.dataset_id, ModelVersionRow.id).where(
        ModelVersionRow.dataset_id.in_([entry.dataset_id for entry, _ in entries])
    )
    for dataset_id, model_id in session.execute(models.order_by(ModelVersionRow.created_at)):
        if dataset_id is not None:
            learnt.setdefault(dataset_id, []).append(model_id)
    return tuple(
        ToldDataset(
            dataset_id=entry.dataset_id,
            origin=entry.origin,
            species=entry.species,
            weight=entry.weight,
            held_out=entry.held_out,
            taken_at=_iso(taken_at),
            models=tuple(learnt.get(entry.dataset_id, ())),
        )
        for entry, taken_at in entries
    )


def _when(saying: ToldSaying) -> str:
    return saying.said_at


def _shown(*parts: bytes) -> str:
    text = os.path.join(*parts).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _iso(moment: datetime) -> str:
    # SQLite gives back times without their zone; all of ours are UTC.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat(timespec="seconds")
