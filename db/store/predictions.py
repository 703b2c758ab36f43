"""Stores what a batch came to: contents, predictions, detections and the items' ends, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.domain.error_probability import error_probability_by_rule
from db.domain.final_answer import CropPrediction, most_probable
from db.domain.jobs import Claim, ItemState
from db.domain.outcomes import ItemOutcome, NewPrediction
from db.store.batches import close
from db.store.images import _image_ids, register_images
from db.store.many_rows import insert_rows, one_of, update_rows
from db.store.sql import upsert
from db.tables.images import FileRow
from db.tables.jobs import ItemRow
from db.tables.predictions import DetectionRow, PredictionRow

_PredictionIds = dict[tuple[str, str], int]
"""Predictions by the content's hash and the parameters."""


def known_contents(session: Session, asked: Sequence[tuple[str, str]], *, model_version: str) -> set[tuple[str, str]]:
    """Return which contents, each with its parameters, this model version has already answered."""
    known: set[tuple[str, str]] = set()
    for parameters in sorted({parameters for _, parameters in asked}):
        image_ids = _image_ids(session, [sha256 for sha256, its in asked if its == parameters])
        found = _prediction_ids(session, image_ids, model_version=model_version, parameters=parameters)
        known |= {(sha256, parameters) for sha256 in found}
    return known


def finish(session: Session, held: Claim, outcomes: Sequence[ItemOutcome], *, model_version: str) -> bool:
    """Return whether the batch was still this worker's; only then is anything written.

    One transaction: a redelivered, duplicated or zombie message finds another token and changes nothing.
    """
    if not close(session, held):
        return False
    # This locks the contents' rows until the commit: whoever stores the same contents waits, and finds them evaluated.
    image_ids = register_images(session, [outcome.image for outcome in outcomes if outcome.image])
    prediction_ids: _PredictionIds = {}
    for parameters in sorted({outcome.parameters for outcome in outcomes if outcome.image}):
        asked = [outcome for outcome in outcomes if outcome.parameters == parameters]
        found = _stored(session, asked, image_ids, model_version=model_version, parameters=parameters)
        prediction_ids.update({(sha256, parameters): prediction_id for sha256, prediction_id in found.items()})
    _end_items(session, held, outcomes, prediction_ids)
    _name_contents(session, held, outcomes, image_ids)
    return True


def _stored(
    session: Session,
    outcomes: Sequence[ItemOutcome],
    image_ids: dict[str, int],
    *,
    model_version: str,
    parameters: str,
) -> dict[str, int]:
    """Return the predictions of contents, by hash; those not stored yet are added."""
    mine = {outcome.image.sha256: image_ids[outcome.image.sha256] for outcome in outcomes if outcome.image}
    model = {"model_version": model_version, "parameters": parameters}
    evaluated = _prediction_ids(session, mine, **model)
    fresh = {
        outcome.image.sha256: outcome.prediction
        for outcome in outcomes
        if outcome.image and outcome.prediction and outcome.image.sha256 not in evaluated
    }
    return {**evaluated, **_add_predictions(session, fresh, image_ids, **model)}


def _prediction_ids(
    session: Session, image_ids: dict[str, int], *, model_version: str, parameters: str
) -> dict[str, int]:
    """Return the predictions of contents, by hash. By the contents' ids: a join would read all of the model's rows."""
    sha256_of = {image_id: sha256 for sha256, image_id in image_ids.items()}
    found = session.execute(
        select(PredictionRow.image_id, PredictionRow.id).where(
            one_of(session, PredictionRow.image_id, sha256_of),
            PredictionRow.model_version_id == model_version,
            PredictionRow.parameters == parameters,
        )
    )
    return {sha256_of[image_id]: prediction_id for image_id, prediction_id in found}


def _add_predictions(
    session: Session,
    fresh: dict[str, NewPrediction],
    image_ids: dict[str, int],
    *,
    model_version: str,
    parameters: str,
) -> dict[str, int]:
    """Return the ids of the predictions that were added, by content; their detections are added with them."""
    if not fresh:
        return {}
    now = datetime.now(UTC)
    rows = [
        {
            "image_id": image_ids[sha256],
            "model_version_id": model_version,
            "parameters": parameters,
            "created_at": now,
            **_columns(new),
        }
        for sha256, new in sorted(fresh.items())
    ]
    insert_rows(session, upsert(session, PredictionRow), rows)
    fresh_ids = {sha256: image_ids[sha256] for sha256 in fresh}
    added = _prediction_ids(session, fresh_ids, model_version=model_version, parameters=parameters)
    detections = [row for sha256, new in fresh.items() for row in _detections(added[sha256], new)]
    insert_rows(session, upsert(session, DetectionRow), detections)
    return added


def _columns(new: NewPrediction) -> dict[str, object]:
    agreement = new.prediction.agreement
    return {
        "species": new.species,
        "box_probabilities": list(new.prediction.box_probabilities),
        "heatmap_probabilities": list(new.prediction.heatmap_probabilities),
        "agreement": agreement.score,
        "iou": agreement.iou,
        "species_distance": agreement.species_distance,
        "box_entropy": agreement.box_entropy,
        "heatmap_entropy": agreement.heatmap_entropy,
        "box_confidence": agreement.box_confidence,
        "heatmap_confidence": agreement.heatmap_confidence,
        "fish_count": agreement.fish_count,
        "error_probability": float(error_probability_by_rule(agreement.score)),
        "crop_probabilities": list(new.second.image) if new.second and new.second.image else None,
        "crop_weight": new.second.weight if new.second else None,
        "heatmap": new.heatmap,
        "infer_ms": new.infer_ms,
        "runtime": str(new.runtime),
        "novelty": new.novelty,
    }


def _detections(prediction_id: int, new: NewPrediction) -> list[dict[str, object]]:
    return [
        {
            "prediction_id": prediction_id,
            "head": str(found.head),
            "species": found.species,
            "confidence": found.confidence,
            "x_min": found.box.x_min,
            "y_min": found.box.y_min,
            "x_max": found.box.x_max,
            "y_max": found.box.y_max,
            "crop_file": crop_file,
            **_crop_columns(new.second, number),
        }
        for number, (found, crop_file) in enumerate(zip(new.prediction.detections, new.crop_files, strict=True))
    ]


def _crop_columns(second: CropPrediction | None, number: int) -> dict[str, object]:
    if second is None:
        return {"crop_species": None, "crop_confidence": None, "crop_probabilities": None, "crop_embedding": None}
    crop = second.crops[number]
    return {
        "crop_species": most_probable(crop, second.species),
        "crop_confidence": max(crop),
        "crop_probabilities": list(crop),
        "crop_embedding": second.embeddings[number] if second.embeddings else None,
    }


def _end_items(session: Session, held: Claim, outcomes: Sequence[ItemOutcome], prediction_ids: _PredictionIds) -> None:
    # In this batch still: a file that changed meanwhile was enqueued again and waits in another.
    rows = [{"id": outcome.item_id, **_end(outcome, prediction_ids)} for outcome in outcomes]
    update_rows(session, ItemRow, rows, only=[ItemRow.batch_id == held.batch_id])


def _end(outcome: ItemOutcome, prediction_ids: _PredictionIds) -> dict[str, object]:
    if outcome.image is None or outcome.failure is not None:
        failed = {"state": ItemState.FAILED.value, "reason": outcome.reason, "failure": outcome.failure}
        return {"prediction_id": None, **failed}
    found = prediction_ids[outcome.image.sha256, outcome.parameters]
    return {"prediction_id": found, "state": ItemState.DONE.value, "reason": None, "failure": None}


def _name_contents(session: Session, held: Claim, outcomes: Sequence[ItemOutcome], image_ids: dict[str, int]) -> None:
    """Hold which content each file has, unless it was seen changed since: then it is not the one that was read here."""
    still_ours = exists().where(
        ItemRow.file_id == FileRow.id,
        ItemRow.batch_id == held.batch_id,
        ItemRow.size_bytes == FileRow.size_bytes,
        ItemRow.mtime_ns == FileRow.mtime_ns,
    )
    rows = [
        {"id": outcome.file_id, "image_id": image_ids[outcome.image.sha256]}
        for outcome in outcomes
        if outcome.image is not None
    ]
    update_rows(session, FileRow, rows, only=[still_ours])
