"""Trains the second stage from crops: on frozen features in minutes, or its whole trunk; evaluated on held-out
cameras.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.model_versions import SecondStage
from db.domain.train_recipe import CropRecipe
from db.progress import StageProgress, no_stage_progress, of_stage
from worker.images.labelled import SkippedFile
from worker.models.errors import TrainingError
from worker.models.names import Balance, CropMethod
from worker.training.crops.calibrate import PRIOR_SHIFT_SHARE, log_prior_shift, species_figures
from worker.training.crops.choose import (
    Mixture,
    answers_of,
    calibrated,
    choose_mixture,
    choose_neighbours,
    log_prior_of,
    with_mixture,
    with_neighbours,
)
from worker.training.crops.features import Canvases, CropShape, cut_canvases, frozen_trunk
from worker.training.crops.networks import MIN_CROPS, CropNetwork, train_frozen, train_tuned
from worker.training.crops.outputs import Embedding, UnseenCrops
from worker.training.crops.samples import CropSample
from worker.training.crops.settings import CropRows, CropTrainSettings
from worker.training.metrics import recalls

# Until it is fitted (see evaluate_second_stage), the second stage counts as much as both heads together.
UNFITTED_WEIGHT = 0.5


@dataclass(frozen=True)
class TrainedCropClassifier:
    """A trained Keras crop classifier (crops to logits), its part of the card, and the images it went without."""

    model: Any
    part: SecondStage
    unreadable: tuple[SkippedFile, ...]


@dataclass(frozen=True, eq=False)
class _Answer:
    """How the network's logits become the answer, and that answer to the held-out crops; (N, S)."""

    mixture: Mixture | None
    turns: int
    shift: npt.NDArray[np.float64]
    temperature: float
    neighbour_temperature: float | None
    held_out: npt.NDArray[np.float64]


def train_crop_classifier(
    samples: Sequence[CropSample],
    *,
    settings: CropTrainSettings,
    features_dir: Path,
    work_dir: Path,
    progress: StageProgress = no_stage_progress,
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
    canvases = cut_canvases(samples, shape=shape, cache_dir=features_dir, progress=of_stage(progress, "crops"))
    train, held_out = _split([sample for sample in samples if sample in canvases], settings)
    class_weights = balance_weights(train, settings)
    learn, apart = (_rows(part, class_weights, canvases, settings) for part in (train, held_out))
    if settings.method is CropMethod.FROZEN:
        network = train_frozen(learn, apart, settings, features_dir=features_dir, progress=progress)
    else:
        network = train_tuned(learn, apart, settings, features_dir=features_dir, work_dir=work_dir, progress=progress)
    embedding = Embedding.fitted(network.pooled)
    answer = _choose(network, embedding, learn, class_weights, settings)
    model = _served(network, embedding, answer, settings)
    part = _part(learn, network, answer, settings)
    network.forget()
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


def _choose(
    network: CropNetwork,
    embedding: Embedding,
    learn: CropRows,
    class_weights: npt.NDArray[np.float64],
    settings: CropTrainSettings,
) -> _Answer:
    """Return what unseen cameras gain by, and the temperatures that suit them.

    Where a part of the training cameras was answered apart, it chooses, and the held-out cameras only move its
    temperatures; else the held-out cameras do both.
    """
    weights = [sample.weight for sample in learn.samples]
    shift = PRIOR_SHIFT_SHARE * log_prior_shift(learn.species, weights, class_weights)
    log_prior = log_prior_of(learn.species, weights, count=len(settings.label_set))
    unseen, held_out, turns = network.unseen, embedding.of(network.held_out), settings.turns
    halved = max(1, turns // 2)  # two networks on half as many turns: an answer costs what it did
    chooser = unseen if len(unseen) else held_out
    mixture = choose_mixture(chooser, shift, log_prior, turns=halved)
    if mixture is not None:
        turns, shift = halved, mixture.shift
        unseen, held_out = (with_mixture(part, mixture, turns=turns) for part in (unseen, held_out))
    usual = calibrated(unseen, shift).temperature
    temperature = calibrated(held_out, shift, usual=usual).temperature
    together = choose_neighbours(unseen if len(unseen) else held_out, shift)
    if together is None:
        return _Answer(mixture, turns, shift, temperature, None, answers_of(held_out, shift, usual=usual))
    heard, nothing = with_neighbours(held_out, shift), np.zeros_like(shift)
    fitted = calibrated(heard, nothing, usual=together).temperature
    return _Answer(mixture, turns, shift, temperature, fitted, answers_of(heard, nothing, usual=together))


def _served(network: CropNetwork, embedding: Embedding, answer: _Answer, settings: CropTrainSettings) -> Any:
    from worker.models.crop_classifier import FrozenShare, build_served

    frozen = None
    if answer.mixture is not None and network.probe is not None:
        frozen = FrozenShare(
            frozen_trunk(settings.trunk, crop_px=settings.crop_px, weights=settings.weights),
            network.probe.weights,
            network.probe.bias,
            answer.mixture.frozen_temperature,
            answer.mixture.tuned_temperature,
        )
    return build_served(network.classifier, mean=embedding.mean, directions=embedding.directions, frozen=frozen)


def _part(learn: CropRows, network: CropNetwork, answer: _Answer, settings: CropTrainSettings) -> SecondStage:
    seen = Counter(sample.species for sample in learn.samples)
    figures, figures_by = _figures(network.held_out, answer, settings)
    return SecondStage(
        trunk=settings.trunk,
        crop_px=settings.crop_px,
        margin=settings.margin,
        species=settings.label_set.names,
        method=str(settings.method),
        turns=answer.turns,
        temperature=answer.temperature,
        log_prior_shift=tuple(float(value) for value in answer.shift),
        weight=UNFITTED_WEIGHT,
        neighbour_temperature=answer.neighbour_temperature,
        recipe=CropRecipe(
            weights=str(settings.weights),
            balance=settings.balance,
            by_sampling=settings.by_sampling,
            seed=settings.seed,
        ),
        record=network.told.model_copy(
            update={
                "crops": len(learn),
                "crops_held_out": len(network.held_out),
                "crops_calibrated_by": len(network.unseen),
                "crops_by_species": {name: seen[name] for name in settings.label_set.names},
                "frozen_beside": answer.mixture is not None,
            }
        ),
        metrics=figures,
        metrics_by=figures_by,
    )


def _figures(
    held_out: UnseenCrops, answer: _Answer, settings: CropTrainSettings
) -> tuple[dict[str, float], dict[str, dict[str, dict[str, float]]]]:
    if not len(held_out):
        return {}, {}
    by_species = {
        settings.label_set.names[place]: {"recall": recall, "crops": float((held_out.species == place).sum())}
        for place, recall in recalls(held_out.species, answer.held_out).items()
    }
    figures = {**species_figures(held_out.species, answer.held_out), "crops": float(len(held_out))}
    return figures, {"species": by_species}
