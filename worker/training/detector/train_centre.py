"""Trains a centre detector: images decoded once, heads fitted on windows, figures on cameras kept apart, the card.

The boxes of the model that serves are learnt from every camera, the held-out ones too, by a centre head of their own
beside the one that is evaluated: with few cameras each one counts. Its species heads never see a held-out camera, for
they are what a later model is compared by.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.box_confidence import BoxConfidence
from db.domain.cameras import side_of
from db.domain.fish_size import step_for
from db.domain.model_versions import ModelCard
from db.progress import Progress, StageProgress, of_stage
from worker.images.labelled import SkippedFile
from worker.inference.detector import Detector
from worker.models.centre_detector import build_centre_detector
from worker.models.detector import fold_batch_norms
from worker.models.trunk_levels import build_trunk_levels
from worker.training.data.check_samples import CheckedSamples
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import class_weights
from worker.training.detector.box_figures import box_figures, counted_boxes
from worker.training.detector.calibrate_boxes import fit_box_confidence
from worker.training.detector.camera_sizes import camera_fish_sizes
from worker.training.detector.card import centre_card
from worker.training.detector.draw_batches import BatchSource
from worker.training.detector.figures import DetectorEvaluation, evaluate
from worker.training.detector.fit_centre import CentreHeads, FittedCentre, fit_centre
from worker.training.detector.has_learnt import Learnt, has_learnt
from worker.training.detector.held_images import HeldImages
from worker.training.detector.see_held_out import as_held_out, see_held_out
from worker.training.detector.settings import TrainSettings
from worker.training.detector.split import RowSplit, split_rows
from worker.training.detector.trained import TrainedDetector, require_enough
from worker.training.detector.tune_trunk import tune_trunk
from worker.training.features.novelty import MIN_CAMERAS, NoveltyScale, fit_novelty
from worker.vision.letterbox import letterbox_image

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Ground:
    """What a training stands on: readable images, the split, each camera's fish size, and the frozen trunk.

    folded: the same trunk, faster; it cannot be a part of the model. novelty: how images of other cameras are told
    from those, None where too few cameras say.
    """

    images: HeldImages
    split: RowSplit
    fish_px: dict[str, float]
    trunk: Any
    folded: Any
    settings: TrainSettings
    novelty: NoveltyScale | None

    @property
    def samples(self) -> list[TrainingSample]:
        return list(self.images.samples)

    def source(self, rows: Rows, *, batch_size: int) -> BatchSource:
        """Return what batches of these images are drawn from."""
        asked = self.settings
        return BatchSource(
            self.samples, self.images, rows, self.fish_px, asked.label_set, asked.input_hw, batch_size, asked.seed
        )

    def detector(self, heads: CentreHeads) -> Any:
        """Return the whole graph with these heads."""
        scale = self.novelty
        return build_centre_detector(
            self.trunk,
            heads.centre,
            heads.species_heads,
            deviations=heads.deviations,
            novelty=(scale.mean, scale.whitening) if scale is not None else None,
        )


@dataclass(frozen=True)
class _Evaluated:
    """What came of the evaluation on held-out cameras."""

    evaluation: DetectorEvaluation
    confidence: BoxConfidence
    learnt: Learnt


def train_centre_detector(
    checked: CheckedSamples, *, settings: TrainSettings, features_dir: Path, progress: StageProgress
) -> TrainedDetector:
    """Return a centre detector trained on these images and evaluated on cameras kept apart.

    Raises:
        TrainingError: too few images, or none with a box. UnknownNetwork, WeightsError: the trunk cannot be built.
    """
    from worker.models.keras_import import keras

    started = time.perf_counter()
    keras.utils.set_random_seed(settings.seed)  # a trunk of random weights is a part of the model, too
    fish_px = camera_fish_sizes([sample for sample in checked.samples if not sample.guessed])
    images, unreadable = _readable(checked, settings, fish_px, progress)
    ground = _Ground(
        images,
        split_rows(images.samples, settings, features_dir),
        fish_px,
        trunk := build_trunk_levels(settings.trunk, weights=settings.weights),
        folded := _compiled(fold_batch_norms(trunk)),
        settings,
        _novelty(images, folded, settings, fish_px),
    )
    split = ground.split
    beside = split.held_out_rows if settings.tune_in is None else None
    fitted = _fitted(ground, split.train_rows, of_stage(progress, "boxes and species"), beside=beside)
    heads, served = fitted.evaluated, fitted.served
    honest = ground.detector(heads) if settings.tune_in is None else _tuned(ground, heads, settings.tune_in, progress)
    evaluated = _evaluated(ground, honest)
    if settings.final_fit and len(split.held_out_rows):
        everything = np.arange(len(images.samples), dtype=np.int64)
        served = _fitted(ground, everything, of_stage(progress, "boxes and species, all cameras")).served
    card = centre_card(
        ground.samples,
        settings,
        split=split,
        heads=served,
        evaluation=evaluated.evaluation,
        confidence=evaluated.confidence,
        learnt=evaluated.learnt,
        seconds=time.perf_counter() - started,
    )
    model = honest if served is heads else ground.detector(served)
    return TrainedDetector(model, card, unreadable, checked.repaired, evaluated=honest)


def _readable(
    checked: CheckedSamples, settings: TrainSettings, fish_px: dict[str, float], progress: StageProgress
) -> tuple[HeldImages, tuple[SkippedFile, ...]]:
    """Return the readable images, each content once: a copy on both sides of a split would leak."""
    unique = list({sample.sha256: sample for sample in checked.samples}.values())
    images = HeldImages(unique, settings.input_hw, fish_px)
    bad = images.read_all(progress=of_stage(progress, "decoding"))
    left_out = (*checked.skipped, *bad.values())
    images = images.kept([row for row in range(len(unique)) if row not in bad])
    require_enough(images.samples, left_out, species=1)
    return images, left_out


def _novelty(images: HeldImages, trunk: Any, settings: TrainSettings, fish_px: dict[str, float]) -> NoveltyScale | None:
    """Return how far images lie from these, each seen as a worker would see it."""
    cameras = [side_of(sample.camera) for sample in images.samples]
    if settings.tune_in is not None or len(set(cameras)) < MIN_CAMERAS:
        return None  # a trunk that is tuned afterwards has other features
    pooled = []
    for row, sample in enumerate(images.samples):
        step = step_for(fish_px.get(sample.camera), settings.input_hw)
        canvas, _ = letterbox_image(images.pixels(row), into_hw=step.input_hw)
        pooled.append(np.asarray(trunk.predict_on_batch(canvas[None])[-1]).mean(axis=(0, 1, 2)))
    return fit_novelty(np.stack(pooled), cameras)


def _fitted(ground: _Ground, rows: Rows, progress: Progress, *, beside: Rows | None = None) -> FittedCentre:
    """Return the heads of these images. beside: images that the serving centre head learns from, too."""
    fit = ground.settings.centre_fit()
    also = None
    if beside is not None and len(beside):
        share = max(1, round(fit.batch_size * len(beside) / len(rows)))
        also = ground.source(beside, batch_size=min(share, fit.batch_size))
    return fit_centre(
        ground.source(rows, batch_size=fit.batch_size),
        ground.folded,
        fit=fit,
        species_weights=_species_weights(ground, rows),
        beside=also,
        progress=progress,
    )


def _tuned(ground: _Ground, heads: CentreHeads, work_dir: Path, progress: StageProgress) -> Any:
    """Return the whole detector tuned on the training cameras; it serves as it was evaluated, for it takes long."""
    fit, rows = ground.settings.centre_fit(), ground.split.train_rows
    model, _ = tune_trunk(
        ground.source(rows, batch_size=fit.batch_size),
        ground.trunk,
        heads,
        fit=fit,
        species_weights=_species_weights(ground, rows),
        work_dir=work_dir,
        progress=of_stage(progress, "whole detector"),
    )
    return model


def _species_weights(ground: _Ground, rows: Rows) -> npt.NDArray[np.float32]:
    label_set = ground.settings.label_set
    species = np.array([label_set.index(ground.images.samples[row].label.species) for row in rows], dtype=np.int64)
    return class_weights(species, count=len(label_set))


def _evaluated(ground: _Ground, model: Any) -> _Evaluated:
    asked, rows = ground.settings, ground.split.held_out_rows
    detector = Detector(_bare_card(asked), model)
    seen = see_held_out(detector, [int(row) for row in rows], ground.images, ground.fish_px)
    fish = [one.fish() for one in seen]
    confidence = fit_box_confidence(counted_boxes(fish))
    held = as_held_out(seen, label_set=asked.label_set, input_hw=asked.input_hw, confidence=confidence)
    evaluation = evaluate(held) if seen else DetectorEvaluation({}, {})
    figures = {**evaluation.metrics, **box_figures(fish, confidence)}
    learnt = has_learnt(
        fish,
        figures,
        images=len(seen),
        cameras=len({one.sample.camera for one in seen}),
        species=sorted({sample.label.species for sample in ground.images.samples}),
    )
    return _Evaluated(replace(evaluation, metrics=figures), confidence, learnt)


def _bare_card(settings: TrainSettings) -> ModelCard:
    return ModelCard(
        kind=str(settings.kind),
        trunk=settings.trunk,
        layer="",
        input_hw=settings.input_hw,
        species=settings.label_set.names,
        heads=(),
    )


def _compiled(model: Any) -> Any:
    model.compile(jit_compile=False)  # XLA is slower on CPUs here
    return model
