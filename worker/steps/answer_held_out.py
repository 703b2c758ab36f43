"""Answers held-out images with one model version, in a process of its own: `python -m worker.steps.answer_held_out`.

That a saved model loads and answers in a fresh process is a part of the gate, so this is how it is evaluated, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from db.domain.datasets import DatasetEntry
from db.domain.final_answer import CropPrediction, Distribution, final_probabilities
from db.domain.jobs import ClaimedItem
from db.domain.model_versions import SecondStage
from db.domain.outcomes import ItemOutcome
from db.domain.places import Place
from db.migrate import open_database
from db.progress import StageProgress
from db.session import reading
from db.settings import get_settings
from db.store.datasets import get_dataset
from db.whole_files import whole_file
from worker.images.ahead import batches
from worker.images.labelled import LabelledContent, read_labelled
from worker.inference.detector import make_detector
from worker.inference.infer import DetectorInference, Inference
from worker.inference.load_image import HashedFile, LoadedImage
from worker.inference.second_stage import load_crop_classifier
from worker.inference.together import hear_cameras
from worker.models.errors import ModelFileError
from worker.steps.requests import ANSWER_HELD_OUT, AnswerRequest, AnswerResult
from worker.steps.step_process import serve_step
from worker.storage.model_files import check_model_file, read_card
from worker.training.data.snapshot import training_samples
from worker.training.detector.camera_sizes import camera_fish_sizes

Floats = npt.NDArray[np.float64]


def evaluate(request: AnswerRequest, progress: StageProgress) -> AnswerResult:
    """Write the final answers of one model version to the held-out images of a data set.

    Raises:
        ModelFileError: the model is missing, altered, does not load, or does not answer with distributions; or the
        answers cannot be written.
    """
    settings = get_settings()
    folder = check_model_file(request.models_dir, request.model, request.sha256, request.crops_sha256)
    card = read_card(folder.parent, folder.name)
    detector = make_detector(card, folder, batch_size=settings.network_batch)
    # Evaluated exactly as it would serve; its crops go where the answers go, and are swept with them.
    elsewhere = settings.model_copy(update={"home": request.answers.parent, "artifacts": ""})
    crop_classifier = load_crop_classifier(card.second_stage, folder)
    inference = DetectorInference(
        detector, model_version=request.model, settings=elsewhere, crop_classifier=crop_classifier
    )
    with reading(open_database(settings.database)) as session:
        dataset = get_dataset(session, request.dataset)
    entries = evaluated_entries(dataset.entries, at_most=request.at_most)
    sha256s: list[str] = []
    said: list[_Said] = []
    for chunk in loaded_images(entries, inference):
        done = inference.finish(chunk, inference.predict(chunk), each_ms=0.0)
        sha256s += [image.image.sha256 for image in chunk]
        said += [_said(image.item.camera, outcome) for image, outcome in zip(chunk, done, strict=True)]
        progress(f"evaluation {request.model}", len(sha256s), len(entries))
    answers = _final_answers(said, card.second_stage)
    probabilities = np.array(answers, dtype=np.float64).reshape(len(answers), len(card.species))
    _refuse_nonsense(folder, probabilities)
    _write(request.answers, species=np.array(card.species), sha256s=np.array(sha256s), answers=probabilities)
    return AnswerResult(images=len(sha256s), unreadable=len(entries) - len(sha256s))


def evaluated_entries(entries: Sequence[DatasetEntry], *, at_most: int) -> list[DatasetEntry]:
    """Return the held-out images to evaluate by: all, or so many in the order of their hash, which nobody can
    choose.
    """
    held = sorted((entry for entry in entries if entry.held_out), key=lambda entry: entry.place.sha256)
    return held[:at_most]


def loaded_images(entries: Sequence[DatasetEntry], inference: Inference) -> Iterator[list[LoadedImage]]:
    """Yield the readable images in network batches; the next ones are decoded meanwhile."""

    fish_px = camera_fish_sizes(training_samples(entries))

    def item_of(place: Place) -> ClaimedItem:
        return ClaimedItem(0, 0, path=place.file, camera=place.camera, fish_px=fish_px.get(place.camera))

    def load(place: Place, content: LabelledContent) -> LoadedImage | ItemOutcome:
        file = content.file
        hashed = HashedFile(item_of(place), replace(file, content=b""), file.content)
        return inference.decode(hashed, os.path.dirname(place.file))

    # Images of one input size side by side: a network call takes one.
    places = sorted((entry.place for entry in entries), key=lambda place: inference.parameters_of(item_of(place)))
    read = read_labelled(places, load, waiting=4 * inference.network_batch)
    loaded = (one for _place, one in read if isinstance(one, LoadedImage))
    for _shape, alike in groupby(loaded, key=lambda one: one.canvas.shape):
        yield from batches(alike, inference.network_batch)


@dataclass(frozen=True)
class _Said:
    """What both stages say of one image of a camera; confidences: of its detections."""

    camera: str
    box: Distribution
    heatmap: Distribution
    confidences: tuple[float, ...]
    second: CropPrediction | None


def _said(camera: str, outcome: ItemOutcome) -> _Said:
    assert outcome.prediction is not None  # an image that was loaded has one
    first = outcome.prediction.prediction
    confidences = tuple(found.confidence for found in first.detections)
    return _Said(camera, first.box_probabilities, first.heatmap_probabilities, confidences, outcome.prediction.second)


def _final_answers(said: Sequence[_Said], part: SecondStage | None) -> list[Distribution]:
    """Return the final answers, each camera's images answered together as at a job's end."""
    seconds = [one.second for one in said if one.second is not None]
    if part is None or len(seconds) < len(said):
        return [final_probabilities(one.box, one.heatmap) for one in said]
    heard = hear_cameras(
        seconds, confidences=[one.confidences for one in said], cameras=[one.camera for one in said], part=part
    )
    return [
        final_probabilities(one.box, one.heatmap, second.image, weight=second.weight)
        for one, second in zip(said, heard, strict=True)
    ]


def _write(file: Path, *, species: npt.NDArray[np.str_], sha256s: npt.NDArray[np.str_], answers: Floats) -> None:
    try:
        with whole_file(file, synced=False) as draft, draft.open("wb") as stream:  # read at once, and never again
            np.savez(stream, species=species, sha256s=sha256s, probabilities=answers)
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be written ({error.strerror or error})") from error


def _refuse_nonsense(folder: Path, probabilities: Floats) -> None:
    sums = probabilities.sum(axis=1)
    if not np.isfinite(probabilities).all() or (probabilities < 0).any() or not np.allclose(sums, 1.0, atol=1e-3):
        raise ModelFileError(f"{folder}: answers with numbers that are no species distributions")


if __name__ == "__main__":
    serve_step(ANSWER_HELD_OUT, evaluate)
