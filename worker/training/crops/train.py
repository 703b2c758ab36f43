"""Trains the second stage from crops: on frozen features in minutes, or its whole trunk; evaluated on held-out
cameras.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.model_versions import SecondStage
from worker.models.errors import TrainingError
from worker.training.crops.calibrate import cross_fitted, fit_temperature, log_prior_shift, species_figures
from worker.training.crops.features import Canvases, CropShape, cut_canvases, turn_features, view_features
from worker.training.crops.finetune import finetune
from worker.training.crops.samples import CropSample
from worker.training.crops.settings import Balance, CropMethod, CropRows, CropTrainSettings
from worker.training.data.splits import camera_folds
from worker.training.features.compute import LeftOutImage
from worker.training.metrics import recalls
from worker.training.probe import Probe, fit_probe

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, done, total)."""

MIN_CROPS = 16
_MAX_ROWS = 60_000  # rows of features that are held in memory at once: 300 MB of the default trunk
_PROBE_FOLDS = 3
_VIEWS_TO_TUNE_FROM = 2
# Until it is fitted (see evaluate_second_stage), the second stage counts as much as both heads together.
UNFITTED_WEIGHT = 0.5


@dataclass(frozen=True)
class TrainedCropClassifier:
    """A trained Keras crop classifier (crops to logits), its part of the card, and the images it went without."""

    model: Any
    part: SecondStage
    unreadable: tuple[LeftOutImage, ...]


def train_crop_classifier(
    samples: Sequence[CropSample],
    *,
    settings: CropTrainSettings,
    features_dir: Path,
    work_dir: Path,
    progress: Progress = lambda stage, done, total: None,
) -> TrainedCropClassifier:
    """Return a crop classifier trained on these crops, evaluated on those of the held-out cameras.

    features_dir: where crops and features are cached. work_dir: where a fine-tuning keeps its place; a killed one goes
    on from its last epoch. progress: called with (stage, done, total).
    Raises:
        TrainingError: too few crops, species or cameras. UnknownNetwork, WeightsError: the trunk cannot be built.
        UnknownSpecies: a label is not in the label set.
    """
    started = time.perf_counter()
    for sample in samples:
        settings.label_set.index(sample.species)
    shape = CropShape(settings.crop_px, settings.margin)
    canvases = cut_canvases(samples, shape=shape, cache_dir=features_dir, progress=_stage(progress, "crops"))
    train, held_out = _split([sample for sample in samples if sample in canvases], settings)
    class_weights = balance_weights(train, settings)
    learn, evaluate = (_rows(part, class_weights, canvases, settings) for part in (train, held_out))
    probe, told = _fit_probe(learn, settings, features_dir, progress)
    if settings.method is CropMethod.FROZEN:
        model, logits = _frozen(probe, evaluate, settings, features_dir, progress)
    else:
        model, logits, told = finetune(
            learn, evaluate, start=probe, settings=settings, work_dir=work_dir, progress=progress
        )
    part = _part(learn, evaluate, logits, class_weights, settings, told)
    part = dataclasses.replace(part, train_seconds=round(time.perf_counter() - started, 1))
    return TrainedCropClassifier(model, part, canvases.unreadable)


def balance_weights(train: Sequence[CropSample], settings: CropTrainSettings) -> npt.NDArray[np.float64]:
    """Return a weight a species by the balance asked for, mean 1 over the crops; 1 for species not seen."""
    counts = np.zeros(len(settings.label_set))
    for sample in train:
        counts[settings.label_set.index(sample.species)] += sample.weight
    power = {Balance.NONE: 0.0, Balance.ROOT: 0.5, Balance.FULL: 1.0}[settings.balance]
    weights = np.where(counts > 0, np.maximum(counts, 1e-9) ** -power, 0.0)
    weights *= counts.sum() / max(float((weights * counts).sum()), 1e-9)
    return np.where(counts > 0, weights, 1.0)


def _split(samples: Sequence[CropSample], settings: CropTrainSettings) -> tuple[list[CropSample], list[CropSample]]:
    train = [sample for sample in samples if sample.camera not in settings.held_out]
    held_out = [sample for sample in samples if sample.camera in settings.held_out]
    species = Counter(sample.species for sample in train)
    where = f" outside the {len(settings.held_out)} held-out cameras" if settings.held_out else ""
    if len(train) < MIN_CROPS or len(species) < 2:
        raise TrainingError(
            f"{len(train)} usable crops of {len(species)} species{where}; the second stage needs at least {MIN_CROPS} "
            "crops of 2 species: label boxes of more images, or train without it"
        )
    return train, held_out


def _rows(
    samples: Sequence[CropSample],
    class_weights: npt.NDArray[np.float64],
    canvases: Canvases,
    settings: CropTrainSettings,
) -> CropRows:
    species = np.array([settings.label_set.index(sample.species) for sample in samples], dtype=np.int64)
    weights = np.array([sample.weight for sample in samples], dtype=np.float32) * class_weights[species]
    return CropRows(samples, species, np.asarray(weights, dtype=np.float32), canvases)


def _fit_probe(
    learn: CropRows, settings: CropTrainSettings, features_dir: Path, progress: Progress
) -> tuple[Probe, dict[str, object]]:
    """Return a softmax on the frozen trunk's features, and what to tell of it; to tune from, two views suffice."""
    wanted = settings.views if settings.method is CropMethod.FROZEN else min(settings.views, _VIEWS_TO_TUNE_FROM)
    views = int(np.clip(_MAX_ROWS // len(learn), 1, wanted))
    features = view_features(
        learn.samples,
        learn.canvases,
        views=views,
        trunk=settings.trunk,
        weights=settings.weights,
        cache_dir=features_dir,
        progress=_stage(progress, "crop features"),
    )
    probe = fit_probe(
        features.reshape(-1, features.shape[-1]),
        np.repeat(learn.species, views),
        np.repeat(learn.weights, views),
        count=len(settings.label_set),
        folds=[np.repeat(fold, views) for fold in _folds(learn, settings)],
    )
    progress("second stage", 1, 1)
    return probe, {"views": views, "strength": probe.strength}


def _frozen(
    probe: Probe, evaluate: CropRows, settings: CropTrainSettings, features_dir: Path, progress: Progress
) -> tuple[Any, npt.NDArray[np.float32]]:
    """Return a classifier whose trunk is as it came, and its logits of the held-out crops' turns."""
    from worker.models.crop_classifier import build_crop_classifier, build_pooled_trunk, set_logits

    logits = np.zeros((0, len(settings.label_set)), dtype=np.float32)
    if len(evaluate):
        held = turn_features(
            evaluate.samples,
            evaluate.canvases,
            turns=settings.turns,
            trunk=settings.trunk,
            weights=settings.weights,
            cache_dir=features_dir,
            progress=_stage(progress, "held-out crop features"),
        )
        logits = probe.logits(held.reshape(-1, held.shape[-1]))
    trunk = build_pooled_trunk(settings.trunk, crop_px=settings.crop_px, weights=settings.weights)
    model = build_crop_classifier(trunk, species=len(settings.label_set))
    set_logits(model, probe.weights, probe.bias)
    return model, logits


def _folds(learn: CropRows, settings: CropTrainSettings) -> list[npt.NDArray[np.bool_]]:
    """Return which crops are kept apart in turn to choose the probe's strength: by camera, as it is evaluated later."""
    cameras = [sample.camera for sample in learn.samples]
    if len(set(cameras)) < 2:
        return []
    k = min(_PROBE_FOLDS, len(set(cameras)))
    masks = [np.isin(cameras, group) for group in camera_folds(cameras, k=k, seed=settings.seed)]
    return [mask for mask in masks if len(set(learn.species[~mask])) > 1]


def _part(
    learn: CropRows,
    evaluate: CropRows,
    logits: npt.NDArray[np.float32],
    class_weights: npt.NDArray[np.float64],
    settings: CropTrainSettings,
    told: dict[str, object],
) -> SecondStage:
    shift = log_prior_shift(learn.species, [sample.weight for sample in learn.samples], class_weights)
    temperature, figures, figures_by = 1.0, {}, {}
    if len(evaluate):
        cameras = [sample.camera for sample in evaluate.samples]
        temperature = fit_temperature(logits, evaluate.species, turns=settings.turns, shift=shift)
        answers = cross_fitted(logits, evaluate.species, cameras, turns=settings.turns, shift=shift)
        figures = {**species_figures(evaluate.species, answers), "crops": float(len(evaluate))}
        by_species = {
            settings.label_set.names[place]: {"recall": recall, "crops": float((evaluate.species == place).sum())}
            for place, recall in recalls(evaluate.species, answers).items()
        }
        figures_by = {"species": by_species}
    seen = Counter(sample.species for sample in learn.samples)
    return SecondStage(
        trunk=settings.trunk,
        crop_px=settings.crop_px,
        margin=settings.margin,
        species=settings.label_set.names,
        method=str(settings.method),
        turns=settings.turns,
        temperature=temperature,
        log_prior_shift=tuple(float(value) for value in shift),
        weight=UNFITTED_WEIGHT,
        parameters={
            "weights": str(settings.weights),
            "balance": str(settings.balance),
            "by_sampling": settings.by_sampling,
            "seed": settings.seed,
            "crops": len(learn),
            "crops_held_out": len(evaluate),
            "crops_by_species": {name: seen[name] for name in settings.label_set.names},
            **told,
        },
        metrics=figures,
        metrics_by=figures_by,
    )


def _stage(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)
