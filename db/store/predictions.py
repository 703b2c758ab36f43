"""Stores what a batch came to: contents, predictions, detections and the items' ends, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.orm import Session

from db.domain.final_answer import SecondOpinion, most_probable
from db.domain.jobs import Claim, ItemState
from db.domain.outcomes import ItemOutcome, NewPrediction, SeenImage
from db.store.batches import close
from db.store.upsert import upsert
from db.tables import DetectionRow, FileRow, ImageRow, ItemRow, PredictionRow

_PLAIN = {"synchronize_session": False}


def known_contents(session: Session, sha256s: Sequence[str], *, model_version: str, parameters: str) -> set[str]:
    """Return the contents that this model version has already judged with these parameters."""
    return set(_prediction_ids(session, sha256s, model_version=model_version, parameters=parameters))


def finish(
    session: Session, held: Claim, outcomes: Sequence[ItemOutcome], *, model_version: str, parameters: str
) -> bool:
    """Return whether the batch was still this worker's; only then is anything written.

    One transaction: a redelivered, duplicated or zombie message finds another token and changes nothing.
    """
    if not close(session, held):
        return False
    image_ids = register_images(session, [outcome.image for outcome in outcomes if outcome.image])
    fresh = {outcome.image.sha256: outcome.prediction for outcome in outcomes if outcome.image and outcome.prediction}
    _add_predictions(session, fresh, image_ids, model_version=model_version, parameters=parameters)
    prediction_ids = _prediction_ids(session, list(image_ids), model_version=model_version, parameters=parameters)
    for outcome in outcomes:
        _end_item(session, held, outcome, image_ids, prediction_ids)
    return True


def _prediction_ids(session: Session, sha256s: Sequence[str], *, model_version: str, parameters: str) -> dict[str, int]:
    asked = and_(PredictionRow.model_version_id == model_version, PredictionRow.parameters == parameters)
    found = session.execute(
        select(ImageRow.sha256, PredictionRow.id)
        .join(PredictionRow, PredictionRow.image_id == ImageRow.id)
        .where(ImageRow.sha256.in_(sha256s), asked)
    )
    return {sha256: prediction_id for sha256, prediction_id in found}


def register_images(session: Session, images: Sequence[SeenImage]) -> dict[str, int]:
    """Return the ids of contents by hash, adding what is new; a size that is known is never forgotten."""
    # Sorted: two workers that store the same contents must take the rows in the same order.
    rows = {image.sha256: image for image in sorted(images, key=lambda image: (image.sha256, image.width_px or 0))}
    if not rows:
        return {}
    statement = upsert(session, ImageRow)
    sizes = {
        "width_px": func.coalesce(ImageRow.width_px, statement.excluded.width_px),
        "height_px": func.coalesce(ImageRow.height_px, statement.excluded.height_px),
        "captured_at": func.coalesce(ImageRow.captured_at, statement.excluded.captured_at),
    }
    values = [
        {
            "sha256": image.sha256,
            "width_px": image.width_px,
            "height_px": image.height_px,
            "captured_at": image.captured_at,
        }
        for image in rows.values()
    ]
    session.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=sizes), values)
    found = session.execute(select(ImageRow.sha256, ImageRow.id).where(ImageRow.sha256.in_(rows)))
    return {sha256: image_id for sha256, image_id in found}


def _add_predictions(
    session: Session,
    fresh: dict[str, NewPrediction],
    image_ids: dict[str, int],
    *,
    model_version: str,
    parameters: str,
) -> None:
    if not fresh:
        return
    by_image = {image_ids[sha256]: new for sha256, new in sorted(fresh.items())}
    rows = [
        {"image_id": image_id, "model_version_id": model_version, "parameters": parameters, **_columns(new)}
        for image_id, new in by_image.items()
    ]
    added = session.execute(
        upsert(session, PredictionRow).on_conflict_do_nothing().returning(PredictionRow.id, PredictionRow.image_id),
        rows,
    ).all()
    detections = [row for prediction_id, image_id in added for row in _detections(prediction_id, by_image[image_id])]
    if detections:
        session.execute(insert(DetectionRow), detections)


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
        "crop_probabilities": list(new.second.picture) if new.second and new.second.picture else None,
        "crop_weight": new.second.weight if new.second else None,
        "heatmap": new.heatmap,
        "infer_ms": new.infer_ms,
        "created_at": datetime.now(UTC),
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


def _crop_columns(second: SecondOpinion | None, number: int) -> dict[str, object]:
    if second is None:
        return {"crop_species": None, "crop_confidence": None, "crop_probabilities": None}
    crop = second.crops[number]
    return {
        "crop_species": most_probable(crop, second.species),
        "crop_confidence": max(crop),
        "crop_probabilities": list(crop),
    }


def _end_item(
    session: Session,
    held: Claim,
    outcome: ItemOutcome,
    image_ids: dict[str, int],
    prediction_ids: dict[str, int],
) -> None:
    # In this batch still: a file that changed meanwhile was enqueued again and waits in another.
    item = update(ItemRow).where(ItemRow.id == outcome.item_id, ItemRow.batch_id == held.batch_id)
    values: dict[str, object]
    if outcome.image is None or outcome.failure is not None:
        values = {"state": ItemState.FAILED, "reason": outcome.reason, "failure": outcome.failure}
    else:
        values = {"state": ItemState.DONE, "prediction_id": prediction_ids[outcome.image.sha256]}
    ended = session.execute(item.values(values), execution_options=_PLAIN)
    if outcome.image is not None and getattr(ended, "rowcount", 0) == 1:
        # Unless the file was seen changed since it was enqueued: its content is not the one that was read here.
        same = and_(FileRow.size_bytes == ItemRow.size_bytes, FileRow.mtime_ns == ItemRow.mtime_ns)
        file = update(FileRow).where(FileRow.id == ItemRow.file_id, ItemRow.id == outcome.item_id, same)
        session.execute(file.values(image_id=image_ids[outcome.image.sha256]), execution_options=_PLAIN)
