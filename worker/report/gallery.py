"""An image's entry in the report's data file: what the page's script shows and filters by."""

from __future__ import annotations

from dataclasses import asdict

from db.domain.answers import AnswerBox, AnsweredBy, FinalAnswer, final_answer
from db.domain.boxes import Box
from db.domain.results import ImageResult, StoredDetection
from worker.report.heat_sheets import HeatPlace
from worker.report.images import DrawnImage

Entry = dict[str, object]


def image_entry(result: ImageResult, drawn: DrawnImage, heat: HeatPlace | None, *, flag_below: float) -> Entry:
    """Return the entry of an image with a prediction. Boxes are shares of the image's sides, 0..1.

    heat: where its heat tiles lie, None where it has none.
    """
    said, answer = result.prediction, final_answer(result)
    assert said is not None and answer is not None
    return _place(result) | {
        "species": answer.species,
        "by": str(answer.by),
        "probability": _short(answer.probability),
        "said": said.final_species,
        "review": _review(result),
        "agreement": _short(said.agreement.score),
        "parts": {name: _short(value) for name, value in asdict(said.agreement).items()},
        "error_probability": _short(said.error_probability),
        "flagged": result.is_open(flag_below),
        "unlike": said.is_unlike,
        "probabilities": [_short(value) for value in said.probabilities],
        "heads": {
            "box_species": [_short(value) for value in said.box_probabilities],
            "heatmap": [_short(value) for value in said.heatmap_probabilities],
        },
        "crops": [_short(value) for value in said.crop_probabilities] if said.crop_probabilities else None,
        "boxes": _boxes(result, answer, drawn),
        "model": said.model_version,
        "image": drawn.image,
        "heat": asdict(heat) if heat is not None else None,
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
    """What a person said, as the page tells it; their boxes are the answer's."""
    said = result.review
    if said is None or said.label is None:
        return None
    return {
        "species": said.label.species,
        "outcome": str(said.outcome),
        "reviewer": said.reviewer,
        "at": said.reviewed_at,
    }


def _boxes(result: ImageResult, answer: FinalAnswer, drawn: DrawnImage) -> list[Entry]:
    """The boxes that are not the answer's, and then the answer's, so that these lie on top."""
    detections = result.prediction.detections if result.prediction is not None else ()
    crops = drawn.crops or (None,) * len(detections)
    held: dict[int | None, tuple[StoredDetection, str | None]] = {
        found.detection_id: (found, crop) for found, crop in zip(detections, crops, strict=True)
    }
    kept = {box.detection_id for box in answer.boxes}
    others = [_other(*held[number], result) for number in held if number not in kept]
    found = [(box, *held.get(box.detection_id, (None, None))) for box in answer.boxes]
    by_person = answer.by is not AnsweredBy.MODEL
    return others + [_answered(box, stored, crop, result, by_person=by_person) for box, stored, crop in found]


def _answered(
    box: AnswerBox, found: StoredDetection | None, crop: str | None, result: ImageResult, *, by_person: bool
) -> Entry:
    return {
        "answer": True,
        "head": "person" if by_person or found is None else str(found.detection.head),
        "species": box.species,
        "probability": _short(box.probability),
        "fish": _short(box.fish_probability),
        "box": _shares(box.box, result),
        "crop": crop,
    }


def _other(found: StoredDetection, crop: str | None, result: ImageResult) -> Entry:
    detection = found.detection
    return {
        "answer": False,
        "head": str(detection.head),
        "species": detection.species,
        "fish": _short(detection.confidence),
        "box": _shares(detection.box, result),
        "crop": crop,
    }


def _shares(box: Box, result: ImageResult) -> list[float]:
    width_px, height_px = result.width_px or 1, result.height_px or 1
    sides = (box.x_min / width_px, box.y_min / height_px, box.x_max / width_px, box.y_max / height_px)
    return [_short(side) for side in sides]


def _short(value: float) -> float:
    return round(float(value), 4)
