"""Trains the detectors that are compared and asks them about cameras that they have not seen."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from bench.first_model.fleets import Draw
from db.domain.box_confidence import UNFITTED, BoxConfidence
from db.domain.boxes import Box
from db.domain.fish_size import TARGET_FISH_PX, InputStep, fish_size_px, input_steps
from db.domain.predictions import Head
from db.domain.species import LabelSet
from worker.cameras.estimate_size import SeenAtStep, estimate_fish_px
from worker.inference.detector import Detector, prediction_of
from worker.models.names import INPUT_HW, DetectorKind
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import sample_letterbox
from worker.training.detector.box_figures import SeenFish, box_figures
from worker.training.detector.camera_sizes import camera_fish_sizes
from worker.training.detector.held_images import HeldImages
from worker.training.detector.see_held_out import SeenImage, see_held_out
from worker.training.detector.settings import TrainSettings
from worker.training.detector.train_detector import train_detector
from worker.training.detector.trained import TrainedDetector
from worker.vision.letterbox import letterbox_image

LESSON, UNKNOWN, ESTIMATED, THREE_BOXES = "lesson", "size not known", "size estimated", "three boxes a camera"
NO_STILL_HEAT = "three boxes, still heat taken away"
_IMAGES_TO_ESTIMATE_BY, _BOXES_TOLD, _SUREST = 10, 3, 2
_NO_CURVE = BoxConfidence(slope=1.0, offset=0.0, at_least=0.0)  # the lesson's detector tells its scores as they are


@dataclass(frozen=True)
class Judged:
    """What one way of asking one detector came to. figures: as `box_figures` names them, with the training's times."""

    way: str
    figures: dict[str, float]
    seen: Sequence[SeenFish]


def judge_centre(draw: Draw, *, features_dir: Path) -> list[Judged]:
    """Return the centre detector's figures: without the new cameras' fish sizes, with estimates, with three boxes.

    At last with each camera's median heat taken away, which serving does not do: whether it should is told by this row.
    """
    trained, took = _trained(draw, DetectorKind.CENTRE, features_dir)
    detector = Detector(trained.card, trained.model)
    images = HeldImages(draw.judge, trained.card.input_hw, {})
    estimated = _estimated_sizes(detector, images)
    told = camera_fish_sizes(_first_boxes(draw.judge))
    judged = []
    for way, sizes in ((UNKNOWN, {}), (ESTIMATED, estimated), (THREE_BOXES, told)):
        outputs = see_held_out(detector, range(len(draw.judge)), images, sizes)
        judged.append(_judged(way, outputs, trained, took))
    return [*judged, _judged(NO_STILL_HEAT, without_still_heat(outputs), trained, took)]


def _judged(way: str, outputs: Sequence[SeenImage], trained: TrainedDetector, took: Mapping[str, float]) -> Judged:
    seen = [one.fish() for one in outputs]
    return Judged(way, {**box_figures(seen, trained.card.box_confidence or UNFITTED), **took}, seen)


def without_still_heat(seen: Sequence[SeenImage]) -> list[SeenImage]:
    """Return what was seen with the median of each camera's heat taken away: what never moves is no fish."""
    by_camera: dict[tuple[str, tuple[int, ...]], list[int]] = defaultdict(list)
    for row, one in enumerate(seen):
        by_camera[one.sample.camera, _heat(one).shape].append(row)
    changed = list(seen)
    for rows in by_camera.values():
        heat = np.stack([_heat(seen[row]) for row in rows])
        for row, left in zip(rows, np.clip(heat - np.median(heat, axis=0), 1e-6, 1.0 - 1e-6), strict=True):
            raw = replace(seen[row].raw, centres=logit(left).astype(np.float32))
            changed[row] = replace(seen[row], raw=raw)
    return changed


def _heat(one: SeenImage) -> npt.NDArray[np.float64]:
    assert one.raw.centres is not None  # of a centre detector
    return np.asarray(expit(one.raw.centres.astype(np.float64)))


def judge_lesson(draw: Draw, *, features_dir: Path) -> list[Judged]:
    """Return the figures of the lesson's detector, which served before: its species maps' boxes at one input size."""
    trained, took = _trained(draw, DetectorKind.LESSON, features_dir)
    detector, input_hw = Detector(trained.card, trained.model), trained.card.input_hw
    images, label_set = HeldImages(draw.judge, input_hw, {}), LabelSet(trained.card.species)
    seen = []
    for row, sample in enumerate(draw.judge):
        raw = detector.predict(letterbox_image(images.pixels(row), into_hw=input_hw)[0][None])
        said = prediction_of(raw, 0, letterbox=sample_letterbox(sample, input_hw), label_set=label_set)
        found = sorted(said.of_head(Head.HEATMAP), key=lambda one: -one.confidence)
        seen.append(
            SeenFish(
                sample.camera,
                np.array([one.box.xyxy for one in found], dtype=np.float64).reshape(-1, 4),
                np.array([one.confidence for one in found], dtype=np.float64),
                np.array([one.box.xyxy for one in sample.label.boxes], dtype=np.float64).reshape(-1, 4),
                float("nan"),
                float("nan"),
            )
        )
    return [Judged(LESSON, {**box_figures(seen, _NO_CURVE), **took}, seen)]


def _trained(draw: Draw, kind: DetectorKind, features_dir: Path) -> tuple[TrainedDetector, dict[str, float]]:
    started, processor = time.perf_counter(), time.process_time()
    settings = TrainSettings(kind=kind, input_hw=INPUT_HW[kind], seed=draw.number)
    trained = train_detector(draw.learn, settings=settings, features_dir=features_dir)
    took = {"seconds": time.perf_counter() - started, "processor_s": time.process_time() - processor}
    return trained, took


def _first_boxes(samples: Sequence[TrainingSample]) -> list[TrainingSample]:
    """Return each camera's first images that together hold three boxes: what a person would draw."""
    drawn: dict[str, int] = defaultdict(int)
    chosen = []
    for sample in samples:
        if sample.label.boxes and drawn[sample.camera] < _BOXES_TOLD:
            drawn[sample.camera] += len(sample.label.boxes)
            chosen.append(sample)
    return chosen


def _estimated_sizes(detector: Detector, images: HeldImages) -> dict[str, float]:
    found = {}
    for camera in sorted({sample.camera for sample in images.samples}):
        rows = [row for row, sample in enumerate(images.samples) if sample.camera == camera]
        some = rows[:: max(1, len(rows) // _IMAGES_TO_ESTIMATE_BY)][:_IMAGES_TO_ESTIMATE_BY]

        def look(step: InputStep, some: list[int] = some) -> SeenAtStep:
            return _at_step(see_held_out(detector, some, images, _sizes_for(step, images), once=True), step)

        size = estimate_fish_px(input_steps(detector.card.input_hw), look)
        if size is not None:
            found[camera] = size
    return found


def _sizes_for(step: InputStep, images: HeldImages) -> Mapping[str, float]:
    """Return the fish sizes that bring every camera to this input."""
    return {sample.camera: TARGET_FISH_PX / step.zoom for sample in images.samples}


def _at_step(seen: Sequence[SeenImage], step: InputStep) -> SeenAtStep:
    scores: list[float] = []
    sizes: list[float] = []
    for one in seen:
        fish, sample = one.fish(), one.sample
        scores += fish.scores[:_SUREST].tolist()
        boxes = [Box(*box.tolist()) for box in fish.boxes[:_SUREST]]
        sizes += [fish_size_px(box, width_px=sample.width_px, height_px=sample.height_px) for box in boxes]
    return SeenAtStep(step, np.array(scores), np.array(sizes))


def all_ways(draw: Draw, *, features_dir: Path) -> list[Judged]:
    """Return what every way of finding fish came to on one draw."""
    return [*judge_lesson(draw, features_dir=features_dir), *judge_centre(draw, features_dir=features_dir)]
