"""Which predictions wait for a person, and everything that is needed to show them one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session, undefer

from db.domain.final_answer import final_probabilities
from db.domain.model_versions import ModelState
from db.domain.predictions import Agreement
from db.domain.results import StoredDetection
from db.review_tables import CorrectionRow, ReviewItemRow
from db.store.results import agreement_of, detections_of
from db.tables import CameraRow, FileRow, FolderRow, ImageRow, ModelVersionRow, PredictionRow

# SQLite takes 32,766 variables in a statement; this stays far below.
_IDS_A_QUERY = 500


@dataclass(frozen=True)
class QueueFilter:
    """Which predictions are asked for. below: agreement under which a picture is flagged.

    species: the final one. handed_out: also pictures that are in an export already, or answered.
    """

    model_version: str
    below: float
    species: str | None = None
    camera: str | None = None
    handed_out: bool = False


@dataclass(frozen=True)
class ModelFrame:
    """What places a model's heat maps on a picture: rows and columns of its input, and the species axis."""

    input_hw: tuple[int, int]
    species: tuple[str, ...]


@dataclass(frozen=True)
class ReviewCandidate:
    """One prediction with its picture; file: absolute, bytes. heatmap: as the worker stored it.

    confidence: the largest final probability, the mean of the two heads'.
    """

    prediction_id: int
    image_id: int
    sha256: str
    file: bytes
    camera: str
    width_px: int
    height_px: int
    species: str
    confidence: float
    agreement: Agreement
    detections: tuple[StoredDetection, ...]
    heatmap: bytes | None


def champion_id(session: Session) -> str | None:
    """Return the champion's id, None before there is one."""
    return session.scalar(select(ModelVersionRow.id).where(ModelVersionRow.state == ModelState.CHAMPION.value))


def has_model(session: Session, model_version: str) -> bool:
    """Return whether a model version is held."""
    return session.get(ModelVersionRow, model_version) is not None


def frame_of_model(session: Session, model_version: str) -> ModelFrame | None:
    """Return what places a model's heat maps; None where its card does not say."""
    card = session.scalar(select(ModelVersionRow.card).where(ModelVersionRow.id == model_version)) or {}
    input_hw, species = card.get("input_hw"), card.get("species")
    if not isinstance(input_hw, list) or len(input_hw) != 2 or not isinstance(species, list):
        return None
    return ModelFrame((int(input_hw[0]), int(input_hw[1])), tuple(str(name) for name in species))


def all_predictions(session: Session, *, model_version: str) -> list[int]:
    """Return the ids of a model's predictions."""
    return list(session.scalars(select(PredictionRow.id).where(PredictionRow.model_version_id == model_version)))


def flagged_predictions(session: Session, wanted: QueueFilter, *, limit: int) -> list[int]:
    """Return the ids of up to `limit` flagged predictions, the least agreed first."""
    query = select(PredictionRow.id).where(*_conditions(wanted), PredictionRow.agreement < wanted.below)
    return list(session.scalars(query.order_by(PredictionRow.agreement, PredictionRow.id).limit(limit)))


def agreed_predictions(session: Session, wanted: QueueFilter, *, limit: int) -> list[int]:
    """Return the ids of up to `limit` unflagged predictions, drawn by chance by the database."""
    query = select(PredictionRow.id).where(*_conditions(wanted), PredictionRow.agreement >= wanted.below)
    return list(session.scalars(query.order_by(func.random()).limit(limit)))


def count_agreed(session: Session, wanted: QueueFilter) -> int:
    """Return how many unflagged predictions there are."""
    query = select(func.count()).select_from(PredictionRow)
    return session.scalar(query.where(*_conditions(wanted), PredictionRow.agreement >= wanted.below)) or 0


def predictions_of(session: Session, sha256s: Sequence[str], *, model_version: str) -> list[int]:
    """Return the ids of a model's predictions of some contents."""
    found: list[int] = []
    for start in range(0, len(sha256s), _IDS_A_QUERY):
        query = (
            select(PredictionRow.id)
            .join(ImageRow, ImageRow.id == PredictionRow.image_id)
            .where(
                ImageRow.sha256.in_(sha256s[start : start + _IDS_A_QUERY]),
                PredictionRow.model_version_id == model_version,
            )
            .order_by(PredictionRow.id)
        )
        found.extend(session.scalars(query))
    return found


def answered_at_random(session: Session, *, model_version: str) -> list[tuple[int, str]]:
    """Return the prediction id and content hash of every picture that was drawn by chance and answered."""
    query = (
        select(ReviewItemRow.prediction_id, ImageRow.sha256)
        .join(ImageRow, ImageRow.id == ReviewItemRow.image_id)
        .join(PredictionRow, PredictionRow.id == ReviewItemRow.prediction_id)
        .where(
            ReviewItemRow.at_random,
            PredictionRow.model_version_id == model_version,
            exists().where(CorrectionRow.review_item_id == ReviewItemRow.id, CorrectionRow.species.is_not(None)),
        )
        .order_by(ReviewItemRow.id)
    )
    return [(found, sha256) for found, sha256 in session.execute(query).tuples() if found is not None]


def load_candidates(
    session: Session, prediction_ids: Sequence[int], *, with_heatmaps: bool = True
) -> dict[int, ReviewCandidate]:
    """Return predictions by id; one whose picture lies nowhere known any more is left out."""
    found: dict[int, ReviewCandidate] = {}
    for start in range(0, len(prediction_ids), _IDS_A_QUERY):
        chunk = prediction_ids[start : start + _IDS_A_QUERY]
        detections = detections_of(session, chunk)
        for row, image, file, folder, camera in session.execute(_places(chunk, with_heatmaps=with_heatmaps)).tuples():
            found[row.id] = ReviewCandidate(
                prediction_id=row.id,
                image_id=image.id,
                sha256=image.sha256,
                file=os.path.join(folder, file),
                camera=camera,
                width_px=image.width_px or 0,
                height_px=image.height_px or 0,
                species=row.species,
                confidence=_confidence(row),
                agreement=agreement_of(row),
                detections=tuple(detections.get(row.id, ())),
                heatmap=row.heatmap if with_heatmaps else None,
            )
    return found


def _conditions(wanted: QueueFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [PredictionRow.model_version_id == wanted.model_version]
    if wanted.species is not None:
        found.append(PredictionRow.species == wanted.species)
    if wanted.camera is not None:
        found.append(
            exists().where(
                FileRow.image_id == PredictionRow.image_id,
                FolderRow.id == FileRow.folder_id,
                CameraRow.id == FolderRow.camera_id,
                CameraRow.name == wanted.camera,
            )
        )
    if not wanted.handed_out:
        found.append(~exists().where(ReviewItemRow.image_id == PredictionRow.image_id))
    return found


def _places(ids: Sequence[int], *, with_heatmaps: bool) -> Select[PredictionRow, ImageRow, bytes, bytes, str]:
    """One place of each content: the first one seen."""
    first = (
        select(func.min(FileRow.id))
        .where(FileRow.image_id == PredictionRow.image_id)
        .correlate(PredictionRow)
        .scalar_subquery()
    )
    query = (
        select(PredictionRow, ImageRow, FileRow.name, FolderRow.path, CameraRow.name)
        .join(ImageRow, ImageRow.id == PredictionRow.image_id)
        .join(FileRow, FileRow.id == first)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(CameraRow, CameraRow.id == FolderRow.camera_id)
        .where(PredictionRow.id.in_(ids))
    )
    return query.options(undefer(PredictionRow.heatmap)) if with_heatmaps else query


def _confidence(row: PredictionRow) -> float:
    return max(
        final_probabilities(
            row.box_probabilities, row.heatmap_probabilities, row.crop_probabilities, weight=row.crop_weight or 0.0
        ),
        default=0.0,
    )
