"""Holds what corrections on a camera say of a model's boxes there: a shift of their log odds."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.domain.box_shift import JudgedBoxes, camera_shifts, hits_of, log_odds_of
from db.domain.card_facts import facts_of
from db.domain.corrections import Correction
from db.domain.fish_size import parameters_of_shift, shift_in
from db.domain.predictions import Head
from db.domain.results import StoredDetection
from db.store.images import camera_of_image
from db.store.results import detections_of
from db.store.reviews import current_corrections
from db.tables.datasets import DatasetEntryRow
from db.tables.images import CameraRow, ImageRow
from db.tables.models import BoxShiftRow, ModelVersionRow
from db.tables.predictions import PredictionRow

_IDS_A_QUERY = 500
_PLAIN = {"synchronize_session": False}


def box_shifts(session: Session, model_version: str) -> dict[str, float]:
    """Return the shift of each camera's boxes by one model, by the camera's name; cameras without one are absent."""
    query = select(CameraRow.name, BoxShiftRow.shift).join(CameraRow, CameraRow.id == BoxShiftRow.camera_id)
    found = session.execute(query.where(BoxShiftRow.model_version_id == model_version))
    return {camera: shift for camera, shift in found}


def refresh_box_shifts(session: Session, model_version: str) -> dict[str, float]:
    """Hold what corrections say of a model's boxes, and return the cameras whose shift changed. The caller commits.

    Images that the model learnt from say nothing; nor does one whose fish nobody boxed.
    """
    model = session.get(ModelVersionRow, model_version)
    if model is None or not facts_of(model.card).calibrated:
        return {}
    before, judged = box_shifts(session, model_version), _judged(session, model)
    shifts = {camera: shift for camera, shift in camera_shifts(judged).items() if shift}
    changed = {
        camera: shifts.get(camera, 0.0) for camera in {*before, *shifts} if before.get(camera) != shifts.get(camera)
    }
    if changed:
        session.execute(
            delete(BoxShiftRow).where(BoxShiftRow.model_version_id == model_version), execution_options=_PLAIN
        )
        ids = {row.name: row.id for row in session.scalars(select(CameraRow).where(CameraRow.name.in_(shifts)))}
        session.add_all(
            BoxShiftRow(
                model_version_id=model_version,
                camera_id=ids[camera],
                shift=shift,
                parameters=parameters_of_shift(shift),
                boxes=len(judged[camera].hits),
            )
            for camera, shift in sorted(shifts.items())
        )
        session.flush()
    return changed


def _judged(session: Session, model: ModelVersionRow) -> dict[str, JudgedBoxes]:
    """Return the boxes that people judged, by camera."""
    said = {sha256: one for sha256, one in current_corrections(session).items() if _tells_places(one)}
    newest = (
        select(func.max(PredictionRow.id))
        .where(PredictionRow.model_version_id == model.id)
        .group_by(PredictionRow.image_id)
    )
    learnt = select(DatasetEntryRow.image_id).where(DatasetEntryRow.dataset_id == model.dataset_id)
    query = (
        select(PredictionRow.id, PredictionRow.parameters, ImageRow.sha256, camera_of_image(PredictionRow.image_id))
        .join(ImageRow, ImageRow.id == PredictionRow.image_id)
        .where(PredictionRow.id.in_(newest), PredictionRow.image_id.not_in(learnt))
    )
    odds: dict[str, list[float]] = defaultdict(list)
    hits: dict[str, list[bool]] = defaultdict(list)
    hashes = sorted(said)
    for start in range(0, len(hashes), _IDS_A_QUERY):
        chunk = query.where(ImageRow.sha256.in_(hashes[start : start + _IDS_A_QUERY]))
        rows = session.execute(chunk).all()
        boxes = detections_of(session, [row[0] for row in rows])
        for prediction_id, parameters, sha256, camera in rows:
            found = _centre_boxes(boxes.get(prediction_id, ()))
            label = said[sha256].label
            assert label is not None  # it tells places
            shift = shift_in(parameters)
            odds[camera] += [log_odds_of(one.detection.confidence, shift=shift) for one in found]
            fish = [labelled.box for labelled in label.boxes]
            hits[camera] += hits_of([one.detection.box for one in found], fish)
    return {camera: JudgedBoxes(tuple(odds[camera]), tuple(hits[camera])) for camera in odds if odds[camera]}


def _centre_boxes(found: list[StoredDetection] | tuple[()]) -> list[StoredDetection]:
    boxed = [one for one in found if one.detection.head is Head.HEATMAP]
    return sorted(boxed, key=lambda one: -one.detection.confidence)


def _tells_places(said: Correction) -> bool:
    return said.label is not None and (bool(said.label.boxes) or said.label.is_empty)
