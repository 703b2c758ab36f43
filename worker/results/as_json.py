"""Everything that is known of a job's images as one JSON document, an image a line."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from db.domain.answers import FinalAnswer, model_answer
from db.domain.corrections import Correction
from db.domain.results import ImageResult, StoredDetection, StoredPrediction
from worker.results.events import event_to_json
from worker.results.files import new_file
from worker.results.options import RULE, Export, now_text

FORMAT_VERSION = 1
ABOUT = {
    "images": "one entry an image, in the order in which they were found; an image without result has `failure`",
    "answer": "what the image shows: as a person said, else as the model says (`answered_by`); `final_species` is its "
    "species; `boxes` are one a fish, the surest first",
    "boxes": "`probability` is that of the species if the box shows a fish, `fish_probability` that it shows one",
    "box": "x_min, y_min, x_max, y_max in pixels of the upright original, whose size is width_px, height_px",
    "prediction": f"what the model says, whatever people said. {RULE}; `heads` and `second_stage` have each one's own",
    "detections": "every box of both heads; `answer` is true for those that the model's answer is made of",
    "agreement": "0..1, how far all predictions back the model's answer",
    "error_probability": "the chance that the model's species is wrong",
    "novelty": "how far the image is from all that its model learnt from; above 1 its answer cannot be believed",
    "flagged": "whether a person should look: nobody has, and `error_probability` is above 1 - `flag_below` or "
    "`novelty` above 1",
    "review": "what a person said last, or null: their species, boxes, name and time; `outcome` is what they did",
    "captured_at": "the camera's clock as the image tells it, ISO 8601 without a zone, or null",
    "latitude": "where the file says that it was taken, WGS 84 degrees, north positive; `longitude`: east positive",
    "camera_model": "maker and model of the camera, `camera_serial`: its serial number, as the file says",
    "note": "what of the file was not as it should be, though it gave an image (rows that are missing), or null",
    "events": "every animal once, where `cli events find` looked for them; `best_image` is a file of `images`",
    "crop": "file of the cut-out, relative to TAFFRAIL_HOME, or null",
    "file": "below `folder`; bytes that are no UTF-8 are shown as \\xNN, and then `file_base64` holds the exact name",
}


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the document; it has a place for every image, so nothing is returned."""
    with new_file(out) as file:
        file.write("{\n")
        for key, value in _head(export).items():
            file.write(f"{json.dumps(key)}: {json.dumps(value)},\n")
        file.write('"images": [')
        for number, result in enumerate(results):
            file.write(("\n" if number == 0 else ",\n") + json.dumps(image_to_json(result, export), ensure_ascii=False))
        events = [event_to_json(event) for event in export.events]
        file.write(f'\n],\n"events": {json.dumps(events, ensure_ascii=False)}\n}}\n')
    return []


def image_to_json(result: ImageResult, export: Export) -> dict[str, object]:
    """Return an image's entry."""
    entry: dict[str, object] = {"file": result.path}
    if result.relative != result.path.encode("utf-8"):
        entry["file_base64"] = base64.b64encode(result.relative).decode("ascii")
    answer = export.answer(result)
    entry |= {
        "state": str(result.state),
        "camera": result.camera,
        "sha256": result.sha256,
        "width_px": result.width_px,
        "height_px": result.height_px,
        "captured_at": result.captured_at,
        "latitude": result.taken_with.latitude_deg,
        "longitude": result.taken_with.longitude_deg,
        "camera_model": result.taken_with.camera_model,
        "camera_serial": result.taken_with.camera_serial,
        "note": result.note,
        "final_species": answer.species if answer is not None else None,
        "answered_by": str(answer.by) if answer is not None else None,
        "answer": _answer(answer) if answer is not None else None,
        "flagged": result.is_open(export.options.flag_below),
        "review": _review(result.review),
        "prediction": _prediction(result.prediction) if result.prediction is not None else None,
    }
    return entry if result.failure is None else entry | {"reason": result.reason, "failure": result.failure}


def _head(export: Export) -> dict[str, object]:
    return {
        "format": "taffrail-results",
        "version": FORMAT_VERSION,
        "about": ABOUT,
        "written_at": now_text(),
        "job": export.job_id,
        "folder": export.root,
        "models": list(export.models),
        "label_set": list(export.label_set.names),
        "flag_below": export.options.flag_below,
        "truth": export.options.truth,
    }


def _answer(answer: FinalAnswer) -> dict[str, object]:
    return {
        "probability": answer.probability,
        "probabilities": dict(answer.probabilities),
        "boxes": [
            {
                "species": found.species,
                "probability": found.probability,
                "fish_probability": found.fish_probability,
                "box": list(found.box.xyxy),
                "detection": found.detection_id,
            }
            for found in answer.boxes
        ],
        "reviewer": answer.reviewer,
    }


def _prediction(prediction: StoredPrediction) -> dict[str, object]:
    said = model_answer(prediction)
    answer = {found.detection_id for found in said.boxes}
    return {
        "species": said.species,
        "probability": said.probability,
        "probabilities": dict(said.probabilities),
        "heads": {
            "box_species": dict(zip(prediction.species, prediction.box_probabilities, strict=True)),
            "heatmap": dict(zip(prediction.species, prediction.heatmap_probabilities, strict=True)),
        },
        "second_stage": _second_stage(prediction),
        "agreement": asdict(prediction.agreement),
        "error_probability": prediction.error_probability,
        "novelty": prediction.novelty,
        "detections": [_detection(found, in_answer=found.detection_id in answer) for found in prediction.detections],
        "model": prediction.model_version,
        "predicted_at": prediction.predicted_at,
    }


def _detection(found: StoredDetection, *, in_answer: bool) -> dict[str, object]:
    detection = found.detection
    return {
        "id": found.detection_id,
        "head": str(detection.head),
        "species": detection.species,
        "confidence": detection.confidence,
        "box": list(detection.box.xyxy),
        "answer": in_answer,
        "crop": found.crop_file,
        "crop_species": found.crop_species,
        "crop_confidence": found.crop_confidence,
    }


def _review(said: Correction | None) -> dict[str, object] | None:
    if said is None or said.label is None:
        return None
    return {
        "species": said.label.species,
        "boxes": [{"species": fish.species, "box": list(fish.box.xyxy)} for fish in said.label.boxes],
        "outcome": str(said.outcome),
        "reviewer": said.reviewer,
        "reviewed_at": said.reviewed_at,
        "model": said.model_version,
        "duplicate_of": said.duplicate_of,
    }


def _second_stage(prediction: StoredPrediction) -> dict[str, object] | None:
    """The second stage's prediction of the image and its share in the answer; None where there is none."""
    if prediction.crop_probabilities is None:
        return None
    probabilities = dict(zip(prediction.species, prediction.crop_probabilities, strict=True))
    return {
        "probabilities": probabilities,
        "weight": prediction.crop_weight,
        "heard_images": prediction.heard_images,
    }
