"""An image's entry in the report's data file: what the page's script shows and filters by."""

from __future__ import annotations

from dataclasses import asdict

from db.domain.answer_boxes import answer_boxes
from db.domain.boxes import Box
from db.domain.results import ImageResult, StoredDetection, StoredPrediction
from worker.report.images import DrawnImage

Entry = dict[str, object]


def image_entry(result: ImageResult, drawn: DrawnImage, *, flag_below: float) -> Entry:
    """Return the entry of an image with a prediction. Boxes are shares of the image's sides, 0..1."""
    said = result.prediction
    assert said is not None
    return _place(result) | {
        "species": result.species,
        "said": said.final_species,
        "review": _review(result),
        "confidence": _short(said.confidence),
        "agreement": _short(said.agreement.score),
        "parts": {name: _short(value) for name, value in asdict(said.agreement).items()},
        "error_probability": _short(said.error_probability),
        "flagged": result.is_open(flag_below),
        "probabilities": [_short(value) for value in said.probabilities],
        "names": list(said.species),
        "heads": {
            "box_species": [_short(value) for value in said.box_probabilities],
            "heatmap": [_short(value) for value in said.heatmap_probabilities],
        },
        "crops": [_short(value) for value in said.crop_probabilities] if said.crop_probabilities else None,
        "boxes": _boxes(result, said, drawn),
        "model": said.model_version,
        "image": drawn.image,
        "heat": drawn.heat,
        "heatSpecies": list(drawn.heat_species),
        "heatRows": drawn.heat_rows,
        "original": drawn.original,
        "problem": drawn.problem,
    }


def failure_entry(result: ImageResult) -> Entry:
    """Return the entry of an item without a result."""
    return _place(result) | {"reason": result.reason or "unknown", "failure": result.failure, "boxes": []}


def _place(result: ImageResult) -> Entry:
    size = {"width": result.width_px, "height": result.height_px}
    return {
        "id": result.item_id,
        "name": result.path,
        "camera": result.camera,
        "taken": result.captured_at,
        "state": str(result.state),
        **size,
    }


def _review(result: ImageResult) -> Entry | None:
    """What a person said: as the page tells it, boxes as shares of the sides."""
    said = result.review
    if said is None or said.label is None:
        return None
    return {
        "species": said.label.species,
        "boxes": [{"species": fish.species, "box": _shares(fish.box, result)} for fish in said.label.boxes],
        "outcome": str(said.outcome),
        "reviewer": said.reviewer,
        "at": said.reviewed_at,
    }


def _boxes(result: ImageResult, said: StoredPrediction, drawn: DrawnImage) -> list[Entry]:
    answer = {found.detection_id for found in answer_boxes(said)}
    crops = drawn.crops or (None,) * len(said.detections)
    return [
        _box(found, _shares(found.detection.box, result), crop, in_answer=found.detection_id in answer)
        for found, crop in zip(said.detections, crops, strict=True)
    ]


def _box(found: StoredDetection, shares: list[float], crop: str | None, *, in_answer: bool) -> Entry:
    detection = found.detection
    return {
        "head": str(detection.head),
        "species": detection.species,
        "confidence": _short(detection.confidence),
        "box": shares,
        "answer": in_answer,
        "crop": crop,
        "cropSpecies": found.crop_species,
        "cropConfidence": None if found.crop_confidence is None else _short(found.crop_confidence),
    }


def _shares(box: Box, result: ImageResult) -> list[float]:
    width_px, height_px = result.width_px or 1, result.height_px or 1
    sides = (box.x_min / width_px, box.y_min / height_px, box.x_max / width_px, box.y_max / height_px)
    return [_short(side) for side in sides]


def _short(value: float) -> float:
    return round(float(value), 4)
