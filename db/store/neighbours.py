"""Stores what a job's images say after their camera's other images were heard; exact, however often it is asked."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ScalarSelect, Select, delete, exists, func, select
from sqlalchemy.orm import Session, undefer

from db.domain.cards import card_from_plain
from db.domain.jobs import ItemState
from db.domain.model_versions import SecondStage
from db.domain.results import StoredDetection
from db.store.many_rows import insert_rows, one_of
from db.store.sql import upsert
from db.tables.images import FileRow, FolderRow, ImageRow
from db.tables.jobs import BatchRow, ItemRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import DetectionRow, NeighbourAnswerRow, PredictionRow

Distribution = tuple[float, ...]


@dataclass(frozen=True)
class CameraPredictions:
    """The predictions of one model version for one camera's images of a job, in the order of their files."""

    camera_id: int
    model_version: str
    prediction_ids: tuple[int, ...]

    @property
    def digest(self) -> str:
        """A name for exactly this set."""
        text = f"{self.model_version} {self.camera_id} " + " ".join(map(str, sorted(self.prediction_ids)))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class OwnCrop:
    """What one crop said alone. confidence: of its detection."""

    probabilities: Distribution
    embedding: bytes
    confidence: float


@dataclass(frozen=True)
class OwnHeads:
    """What the two heads said of one image. weight: the second stage's share in its answer."""

    box: Distribution
    heatmap: Distribution
    weight: float


@dataclass(frozen=True)
class NeighbourAnswer:
    """What a prediction's crops say after the others were heard. crops: one a detection, in their order.

    species: what the image is called then, its heads counted in.
    """

    prediction_id: int
    species: str
    image: Distribution
    crops: tuple[Distribution, ...]


def finished_job_of(session: Session, batch_id: int) -> int | None:
    """Return the job of a batch if none of its images waits any more, else None."""
    job_id = session.scalars(select(BatchRow.job_id).where(BatchRow.id == batch_id)).one_or_none()
    return None if job_id is None or not is_finished(session, job_id) else job_id


def is_finished(session: Session, job_id: int) -> bool:
    """Return whether none of a job's images waits any more."""
    waits = exists().where(ItemRow.job_id == job_id, ItemRow.state == str(ItemState.PENDING))
    return not session.scalars(select(waits)).one()


def hearing_parts(session: Session, job_id: int) -> dict[str, SecondStage]:
    """Return the cards' second stages of those of a job's model versions whose crops hear each other."""
    used = (
        select(PredictionRow.model_version_id)
        .join(ItemRow, ItemRow.prediction_id == PredictionRow.id)
        .where(ItemRow.job_id == job_id)
    )
    found = {}
    for model_id, card in session.execute(
        select(ModelVersionRow.id, ModelVersionRow.card).where(ModelVersionRow.id.in_(used.distinct()))
    ):
        part = card_from_plain(card).second_stage
        if part is not None and part.neighbour_temperature:
            found[model_id] = part
    return found


def predictions_by_camera(session: Session, job_id: int, model_versions: Sequence[str]) -> list[CameraPredictions]:
    """Return a job's predictions by camera and model version; a content of two cameras counts for the first one."""
    camera = func.coalesce(ImageRow.camera_id, FolderRow.camera_id)
    query = (
        select(PredictionRow.model_version_id, camera, PredictionRow.id, FolderRow.path, FileRow.name)
        .join(ItemRow, ItemRow.prediction_id == PredictionRow.id)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(ImageRow, ImageRow.id == PredictionRow.image_id)
        .where(ItemRow.job_id == job_id, PredictionRow.model_version_id.in_(model_versions))
    )
    # Sorted here: the engines sort bytes and text each in their own way.
    rows = sorted(session.execute(query), key=lambda row: (row[0], row[1], row[3], row[4]))
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    seen: set[int] = set()
    for model_version, camera_id, prediction_id, _folder, _name in rows:
        if prediction_id not in seen:
            seen.add(prediction_id)
            groups[model_version, camera_id].append(prediction_id)
    return [CameraPredictions(camera_id, model, tuple(ids)) for (model, camera_id), ids in groups.items()]


def is_answered(session: Session, job_id: int, group: CameraPredictions) -> bool:
    """Return whether a camera's answers were made from exactly these predictions."""
    mine = exists().where(
        NeighbourAnswerRow.job_id == job_id,
        NeighbourAnswerRow.heard_digest == group.digest,
        NeighbourAnswerRow.species.is_not(None),
    )
    return session.scalars(select(mine)).one()


def own_heads(session: Session, prediction_ids: Sequence[int]) -> dict[int, OwnHeads]:
    """Return what the first stage said of some predictions, by id."""
    query = select(
        PredictionRow.id,
        PredictionRow.box_probabilities,
        PredictionRow.heatmap_probabilities,
        PredictionRow.crop_weight,
    ).where(one_of(session, PredictionRow.id, prediction_ids))
    return {
        prediction_id: OwnHeads(tuple(box), tuple(heatmap), weight or 0.0)
        for prediction_id, box, heatmap, weight in session.execute(query)
    }


def own_crops(session: Session, prediction_ids: Sequence[int]) -> dict[int, list[OwnCrop]]:
    """Return what the crops of some predictions said alone, in the detections' order."""
    found: dict[int, list[OwnCrop]] = defaultdict(list)
    query = select(DetectionRow).where(one_of(session, DetectionRow.prediction_id, prediction_ids))
    query = query.order_by(DetectionRow.id).options(undefer(DetectionRow.crop_embedding))
    for row in session.scalars(query):
        if row.crop_probabilities is not None and row.crop_embedding is not None:
            crop = OwnCrop(tuple(row.crop_probabilities), bytes(row.crop_embedding), row.confidence)
            found[row.prediction_id].append(crop)
    return found


def put_answers(session: Session, job_id: int, group: CameraPredictions, answers: Sequence[NeighbourAnswer]) -> None:
    """Store a camera's answers in place of the ones before. The caller holds the job and commits."""
    chosen = one_of(session, NeighbourAnswerRow.prediction_id, group.prediction_ids)
    before = delete(NeighbourAnswerRow).where(NeighbourAnswerRow.job_id == job_id, chosen)
    session.execute(before, execution_options={"synchronize_session": False})
    rows = [
        {
            "job_id": job_id,
            "prediction_id": one.prediction_id,
            "heard_digest": group.digest,
            "heard_images": len(group.prediction_ids),
            "species": one.species,
            "image_probabilities": list(one.image),
            "crop_probabilities": [list(crop) for crop in one.crops],
        }
        for one in answers
    ]
    insert_rows(session, upsert(session, NeighbourAnswerRow), rows)


def forget_others(session: Session, job_id: int, digests: Sequence[str]) -> None:
    """Take away a job's answers that were made from other sets of predictions than these."""
    others = delete(NeighbourAnswerRow).where(
        NeighbourAnswerRow.job_id == job_id, NeighbourAnswerRow.heard_digest.not_in(digests)
    )
    session.execute(others, execution_options={"synchronize_session": False})


@dataclass(frozen=True)
class HeardPrediction:
    """What a prediction says in a job. images: how many images of the camera were heard, itself among them."""

    image: Distribution
    crops: tuple[Distribution, ...]
    images: int

    def of(self, place: int, found: StoredDetection, species: Sequence[str]) -> StoredDetection:
        """Return a detection with what its crop says now. place: among the prediction's detections."""
        crop = self.crops[place]
        best = max(range(len(crop)), key=crop.__getitem__)
        return replace(found, crop_species=species[best], crop_confidence=crop[best], crop_probabilities=crop)


def heard_predictions(session: Session, job_id: int, prediction_ids: Sequence[int]) -> dict[int, HeardPrediction]:
    """Return what some predictions say in a job after their camera's others were heard, where they were."""
    query = select(NeighbourAnswerRow).where(
        NeighbourAnswerRow.job_id == job_id, NeighbourAnswerRow.prediction_id.in_(prediction_ids)
    )
    return _heard(session, query)


def newest_heard(session: Session, prediction_ids: Sequence[int]) -> dict[int, HeardPrediction]:
    """Return what some predictions say in the newest job in which their camera's others were heard, where any was."""
    query = select(NeighbourAnswerRow).where(NeighbourAnswerRow.prediction_id.in_(prediction_ids))
    return _heard(session, query.order_by(NeighbourAnswerRow.job_id))


def species_heard() -> ScalarSelect[str | None]:
    """Return what a prediction is called in the newest job that heard it, as a subquery of a query of predictions."""
    return (
        select(NeighbourAnswerRow.species)
        .where(NeighbourAnswerRow.prediction_id == PredictionRow.id)
        .order_by(NeighbourAnswerRow.job_id.desc())
        .limit(1)
        .correlate(PredictionRow)
        .scalar_subquery()
    )


def _heard(session: Session, query: Select[NeighbourAnswerRow]) -> dict[int, HeardPrediction]:
    return {
        row.prediction_id: HeardPrediction(
            tuple(row.image_probabilities), tuple(tuple(crop) for crop in row.crop_probabilities), row.heard_images
        )
        for row in session.scalars(query)
    }
