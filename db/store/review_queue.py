"""Which predictions wait for a person, and everything that is needed to show them one."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session, undefer

from db.domain.answers import FinalAnswer, model_answer
from db.domain.duplicates import Sighting
from db.domain.predictions import Agreement
from db.domain.results import StoredDetection
from db.store.duplicates import has_duplicate_shown
from db.store.error_probabilities import THE_RULE
from db.store.flagged import flagged, unlike
from db.store.images import camera_of_image
from db.store.neighbours import newest_heard, species_heard
from db.store.results import agreement_of, answering_models, as_heard, detections_of, named_now, stored_prediction
from db.store.reviews import decided
from db.tables.images import FileRow, FolderRow, ImageRow
from db.tables.predictions import PredictionRow
from db.tables.reviews import CorrectionRow, ErrorFitRow, ReviewExportRow, ReviewItemRow

# SQLite takes 32,766 variables in a statement; this stays far below.
_IDS_A_QUERY = 500


@dataclass(frozen=True)
class QueueFilter:
    """Which predictions are asked for. below: an image is flagged whose chance to be right is below.

    Before people answered that chance is the agreement; the figures must be up to date
    (`error_probabilities.refresh_error_probabilities`).
    species: the final one. handed_out: also images that are in an export already, or answered.
    """

    model_version: str
    below: float
    species: str | None = None
    camera: str | None = None
    handed_out: bool = False


@dataclass(frozen=True)
class ReviewCandidate:
    """One prediction with its image; file: absolute, bytes. heatmap: as the worker stored it.

    answer: the model's, whatever people said, after its camera's other images were heard where they were; species: its.
    error_probability: the chance that it is wrong. sighting: what its duplicates are found by.
    """

    prediction_id: int
    image_id: int
    sha256: str
    file: bytes
    camera: str
    width_px: int
    height_px: int
    species: str
    answer: FinalAnswer
    agreement: Agreement
    error_probability: float
    detections: tuple[StoredDetection, ...]
    heatmap: bytes | None
    sighting: Sighting | None = None


def waiting_predictions(session: Session, wanted: QueueFilter) -> list[int]:
    """Return the ids of all predictions asked for, flagged or not."""
    return list(session.scalars(select(PredictionRow.id).where(*queue_conditions(wanted)).order_by(PredictionRow.id)))


def flagged_predictions(session: Session, wanted: QueueFilter, *, limit: int) -> list[int]:
    """Return the ids of up to `limit` flagged predictions: images unlike all learnt from, then the most doubtful."""
    query = select(PredictionRow.id).where(*queue_conditions(wanted), flagged(wanted.below))
    first = (unlike().desc(), PredictionRow.error_probability.desc(), PredictionRow.id)
    return list(session.scalars(query.order_by(*first).limit(limit)))


def agreed_predictions(session: Session, wanted: QueueFilter) -> array[int]:
    """Return the ids of all unflagged predictions, the oldest first; eight bytes each."""
    query = select(PredictionRow.id).where(*queue_conditions(wanted), ~flagged(wanted.below))
    return array("q", session.scalars(query.order_by(PredictionRow.id)))


def count_agreed(session: Session, wanted: QueueFilter) -> Counter[tuple[str, str]]:
    """Return how many predictions nobody flagged, by species and camera.

    Those that a person was asked about for their error_probability, under whichever threshold, are not among them.
    """
    camera = camera_of_image(PredictionRow.image_id).label("camera")
    asked = exists().where(ReviewItemRow.image_id == PredictionRow.image_id, ~ReviewItemRow.at_random)
    each = (
        select(func.coalesce(species_heard(), PredictionRow.species).label("species"), camera)
        .where(*queue_conditions(wanted), ~flagged(wanted.below), ~asked)
        .subquery()
    )
    query = select(each.c.species, each.c.camera, func.count()).group_by(each.c.species, each.c.camera)
    return Counter({(species, name or ""): count for species, name, count in session.execute(query)})


def draws_by_chance(session: Session, *, model_version: str) -> set[tuple[str | None, str | None]]:
    """Return to which species and camera the choice was narrowed in the exports that drew by chance."""
    query = (
        select(ReviewExportRow.asked_species, ReviewExportRow.asked_camera)
        .join(ReviewItemRow, ReviewItemRow.export_id == ReviewExportRow.id)
        .where(ReviewItemRow.at_random, ReviewExportRow.model_version_id == model_version)
        .distinct()
    )
    return {(species, camera) for species, camera in session.execute(query)}


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


def answered_predictions(
    session: Session, *, model_version: str, at_random: bool = False, agreed_below: float | None = None
) -> list[int]:
    """Return the predictions of a model that people were shown and decided on.

    at_random: only those drawn by chance, from the whole queue or a narrowed one. agreed_below: only those that are not
    flagged where the chance to be right must not be below.
    """
    query = (
        select(ReviewItemRow.prediction_id)
        .join(PredictionRow, PredictionRow.id == ReviewItemRow.prediction_id)
        .where(
            PredictionRow.model_version_id == model_version,
            exists().where(CorrectionRow.review_item_id == ReviewItemRow.id, decided()),
        )
        .distinct()
        .order_by(ReviewItemRow.prediction_id)
    )
    if at_random:
        query = query.where(ReviewItemRow.at_random)
    if agreed_below is not None:
        query = query.where(~flagged(agreed_below))
    found = session.scalars(query)
    return [prediction_id for prediction_id in found if prediction_id is not None]


def load_candidates(
    session: Session, prediction_ids: Sequence[int], *, with_heatmaps: bool = True
) -> dict[int, ReviewCandidate]:
    """Return predictions by id; one whose image lies nowhere known any more is left out."""
    found: dict[int, ReviewCandidate] = {}
    for start in range(0, len(prediction_ids), _IDS_A_QUERY):
        chunk = prediction_ids[start : start + _IDS_A_QUERY]
        detections = detections_of(session, chunk)
        places = session.execute(_places(chunk, with_heatmaps=with_heatmaps)).all()
        models = answering_models(session, sorted({row.model_version_id for row, *_ in places}))
        heard = newest_heard(session, chunk)
        for row, image, file, folder, camera, place in places:
            model = models[row.model_version_id]
            alone = stored_prediction(row, model, detections.get(row.id, ()), with_heatmap=False)
            said = named_now(as_heard(alone, heard.get(row.id)), model)
            answer = model_answer(said)
            found[row.id] = ReviewCandidate(
                prediction_id=row.id,
                image_id=image.id,
                sha256=image.sha256,
                file=os.path.join(folder, file),
                camera=camera,
                width_px=image.width_px or 0,
                height_px=image.height_px or 0,
                species=said.final_species,
                answer=answer,
                agreement=agreement_of(row),
                error_probability=row.error_probability,
                detections=said.detections,
                heatmap=row.heatmap if with_heatmaps else None,
                sighting=_sighting(image, answer, camera=camera, place=place),
            )
    return found


def queue_conditions(wanted: QueueFilter) -> list[ColumnElement[bool]]:
    """Return what a prediction that is asked for fulfils."""
    newest = select(func.coalesce(func.max(ErrorFitRow.id), THE_RULE))
    found: list[ColumnElement[bool]] = [
        PredictionRow.model_version_id == wanted.model_version,
        # One fit's figures cannot be compared with another's.
        PredictionRow.error_fit == newest.where(ErrorFitRow.model_version_id == wanted.model_version).scalar_subquery(),
    ]
    if wanted.species is not None:
        found.append(func.coalesce(species_heard(), PredictionRow.species) == wanted.species)
    if wanted.camera is not None:
        found.append(camera_of_image(PredictionRow.image_id) == wanted.camera)
    if not wanted.handed_out:
        found.append(~exists().where(ReviewItemRow.image_id == PredictionRow.image_id))
        found.append(~has_duplicate_shown(PredictionRow.image_id))
    return found


def _sighting(image: ImageRow, answer: FinalAnswer, *, camera: str, place: int) -> Sighting:
    return Sighting(
        camera=camera,
        width_px=image.width_px or 0,
        height_px=image.height_px or 0,
        thumbnail=image.thumbnail,
        captured_at=image.captured_at,
        place=place,
        boxes=tuple(found.box for found in answer.boxes),
    )


def _places(ids: Sequence[int], *, with_heatmaps: bool) -> Select[PredictionRow, ImageRow, bytes, bytes, str, int]:
    """One place of each content: the first one seen."""
    first = (
        select(func.min(FileRow.id))
        .where(FileRow.image_id == PredictionRow.image_id)
        .correlate(PredictionRow)
        .scalar_subquery()
    )
    query = (
        select(PredictionRow, ImageRow, FileRow.name, FolderRow.path, camera_of_image(ImageRow.id), FileRow.id)
        .join(ImageRow, ImageRow.id == PredictionRow.image_id)
        .join(FileRow, FileRow.id == first)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .where(PredictionRow.id.in_(ids))
        .options(undefer(ImageRow.thumbnail))
    )
    return query.options(undefer(PredictionRow.heatmap)) if with_heatmaps else query
