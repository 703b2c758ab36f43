"""Evaluates the second stage where it works, on the detector's own boxes: its share in the final answer, the
figures.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from db.domain.final_answer import CropPrediction, final_probabilities
from db.domain.model_versions import ModelCard, SecondStage
from db.domain.predictions import Prediction
from db.domain.species import LabelSet
from db.progress import Progress, no_progress
from worker.images.ahead import batches
from worker.images.decode import DecodedImage
from worker.images.labelled import LabelledContent, Skip, read_labelled
from worker.inference.detector import AnyDetector, input_for, prediction_of
from worker.inference.second_stage import CropClassifier
from worker.inference.together import hear_cameras
from worker.training import metrics
from worker.training.crops.calibrate import effective_count, species_figures
from worker.training.data.samples import TrainingSample
from worker.training.detector.camera_sizes import camera_fish_sizes
from worker.vision.letterbox import Letterbox, fit_letterbox, letterbox_image

Floats = npt.NDArray[np.float64]
_IMAGES_AT_ONCE = 16
_WEIGHTS = np.linspace(0.0, 1.0, 21)
# A beta prior with its peak at two thirds: a few images of few cameras once gave the second stage the whole say.
_USUAL_WEIGHT, _WEIGHT_PRIOR_WORTH = 2.0 / 3.0, 6.0


@dataclass(frozen=True, eq=False)
class _Prepared:
    """An image, whole for the crops; and letterboxed as the detector knows it, (H, W, 3) uint8."""

    whole: DecodedImage
    canvas: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class EvaluatedImage:
    """A held-out image and what each stage says of it. crops: None where nothing was detected."""

    sample: TrainingSample
    prediction: Prediction
    crops: tuple[float, ...] | None

    def final(self, weight: float) -> tuple[float, ...]:
        """The final answer if the second stage had this weight."""
        return final_probabilities(
            self.prediction.box_probabilities, self.prediction.heatmap_probabilities, self.crops, weight=weight
        )


@dataclass(frozen=True)
class SecondStageEvaluation:
    """The part of the card with its fitted weight; and figures of the final answer, by name, species and camera.

    A figure of a camera is made with the weight that suits the other held-out cameras.
    """

    part: SecondStage
    metrics: dict[str, float]
    metrics_by: dict[str, dict[str, dict[str, float]]]


def evaluate_images(
    samples: Sequence[TrainingSample],
    *,
    detector: AnyDetector,
    crop_classifier: CropClassifier | None,
    on_skipped: Skip = lambda skipped: None,
    progress: Progress = no_progress,
) -> list[EvaluatedImage]:
    """Return what both stages say of images, as a worker would; an image that cannot be read is left out.

    crop_classifier: None of a version without a second stage.
    """
    card, label_set, evaluated, done = detector.card, LabelSet(detector.card.species), [], 0
    seconds: list[CropPrediction] = []
    for input_hw, chunk in _loaded_by_input(samples, card, on_skipped):
        raw = detector.predict(np.stack([prepared.canvas for _sample, prepared in chunk]))
        predictions = [
            prediction_of(
                raw,
                row,
                letterbox=_letterbox(prepared.whole, input_hw),
                label_set=label_set,
                confidence=card.box_confidence,
            )
            for row, (_sample, prepared) in enumerate(chunk)
        ]
        if crop_classifier is not None:
            seconds += crop_classifier.classify([prepared.whole for _sample, prepared in chunk], predictions)
        evaluated += [
            EvaluatedImage(sample, prediction, None)
            for (sample, _prepared), prediction in zip(chunk, predictions, strict=True)
        ]
        done += len(chunk)
        progress(done, len(samples))
    return evaluated if crop_classifier is None else _with_crops(evaluated, seconds, crop_classifier.part)


def _with_crops(
    evaluated: Sequence[EvaluatedImage], seconds: Sequence[CropPrediction], part: SecondStage
) -> list[EvaluatedImage]:
    """Return the images with what the second stage says of them, each camera's answered together."""
    heard = hear_cameras(
        seconds,
        confidences=[tuple(found.confidence for found in one.prediction.detections) for one in evaluated],
        cameras=[one.sample.camera for one in evaluated],
        part=part,
    )
    return [dataclasses.replace(one, crops=second.image) for one, second in zip(evaluated, heard, strict=True)]


def evaluate_second_stage(evaluated: Sequence[EvaluatedImage], part: SecondStage) -> SecondStageEvaluation:
    """Return the second stage's weight of least log loss on these images, and the figures of the final answer."""
    species = np.array([part.species.index(one.sample.label.species) for one in evaluated], dtype=np.int64)
    by_weight = _by_weight(evaluated)
    cameras = np.array([one.sample.camera for one in evaluated])
    answers = cross_weighted(evaluated, species)
    figures = species_figures(species, answers)
    first = {f"first_stage_{name}": value for name, value in species_figures(species, by_weight[0]).items()}
    weight = float(_WEIGHTS[_best(by_weight, species, cameras)])
    return SecondStageEvaluation(
        dataclasses.replace(part, weight=weight),
        {**figures, **{name: first[name] for name in first if not name.endswith("majority_accuracy")}},
        {"species": _by_species(species, answers, part.species), "camera": _by_camera(species, answers, cameras)},
    )


def cross_weighted(evaluated: Sequence[EvaluatedImage], species: npt.NDArray[np.int64]) -> Floats:
    """Return the final answers, each camera's with the weight that suits the other cameras; (N, S).

    species: (N,) the true ones, places on the species axis.
    """
    by_weight, cameras = _by_weight(evaluated), np.array([one.sample.camera for one in evaluated])
    answers = np.array(by_weight[0])
    for camera in np.unique(cameras):
        mine = cameras == camera
        answers[mine] = by_weight[_best(by_weight[:, ~mine], species[~mine], cameras[~mine])][mine]
    return answers


def _by_weight(evaluated: Sequence[EvaluatedImage]) -> Floats:
    return np.array([[one.final(float(weight)) for one in evaluated] for weight in _WEIGHTS])  # (W, N, S)


def _best(by_weight: Floats, species: npt.NDArray[np.int64], cameras: npt.NDArray[np.str_]) -> int:
    """The place of the weight of least log loss, shrunk towards the usual one as far as the images prove little."""
    inside = np.clip(_WEIGHTS, 0.02, 0.98)
    log_prior = _USUAL_WEIGHT * np.log(inside) + (1.0 - _USUAL_WEIGHT) * np.log(1.0 - inside)
    if not len(species):
        return int(np.argmax(log_prior))
    losses = np.array([metrics.log_loss(species, answers) for answers in by_weight])
    return int(np.argmin(effective_count(cameras.tolist()) * losses - _WEIGHT_PRIOR_WORTH * log_prior))


def _by_species(species: npt.NDArray[np.int64], answers: Floats, names: Sequence[str]) -> dict[str, dict[str, float]]:
    chosen, rows = answers.argmax(axis=1), {}
    for place, recall in metrics.recalls(species, answers).items():
        called = chosen == place
        precision = float((species[called] == place).mean()) if called.any() else 0.0
        images = float((species == place).sum())
        rows[names[place]] = {"images": images, "recall": recall, "precision": precision}
    return rows


def _by_camera(
    species: npt.NDArray[np.int64], answers: Floats, cameras: npt.NDArray[np.str_]
) -> dict[str, dict[str, float]]:
    rows = {}
    for camera in np.unique(cameras):
        mine = cameras == camera
        rows[str(camera)] = {
            "images": float(mine.sum()),
            "accuracy": metrics.accuracy(species[mine], answers[mine]),
            "log_loss": metrics.log_loss(species[mine], answers[mine]),
        }
    return rows


def _letterbox(image: DecodedImage, input_hw: tuple[int, int]) -> Letterbox:
    return fit_letterbox(width_px=image.width_px, height_px=image.height_px, into_hw=input_hw)


def _loaded_by_input(
    samples: Sequence[TrainingSample], card: ModelCard, on_skipped: Skip
) -> Iterator[tuple[tuple[int, int], list[tuple[TrainingSample, _Prepared]]]]:
    """Yield readable images with the input that their camera's fish size asks for, some of one input at a time."""
    fish_px, by_input = camera_fish_sizes(samples), defaultdict(list)
    for sample in samples:
        by_input[input_for(card, fish_px.get(sample.camera)).input_hw].append(sample)
    for input_hw, some in by_input.items():
        read = read_labelled(some, partial(_prepared, input_hw=input_hw), on_skipped=on_skipped)
        for chunk in batches(read, _IMAGES_AT_ONCE):
            yield input_hw, chunk


def _prepared(_sample: TrainingSample, content: LabelledContent, *, input_hw: tuple[int, int]) -> _Prepared:
    reduced = content.decode(at_least_hw=input_hw)
    whole = reduced if reduced.pixels.shape[1] == reduced.width_px else content.decode()
    return _Prepared(whole, letterbox_image(reduced.pixels, into_hw=input_hw)[0])
