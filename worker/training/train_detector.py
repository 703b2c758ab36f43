"""Trains a detector from labelled pictures: features, both heads, figures on cameras it has not seen, the card."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from db.domain.model_versions import ModelCard
from db.domain.species import DEFAULT_LABEL_SET, LabelSet
from worker.models.errors import TrainingError
from worker.models.names import DEFAULT_TRUNK, HeadName
from worker.training.evaluate import HeldOut, Judgement, judge
from worker.training.feature_cache import Features
from worker.training.features import UnreadablePicture, compute_features
from worker.training.fit import FitSettings, HeadFit
from worker.training.recipes import recipe_for
from worker.training.samples import TrainingSample, dataset_sha256
from worker.training.splits import held_out_cameras, random_split
from worker.training.train_head import TrainedHead, train_head

DETECTOR_KIND = "detector"
BOX_HEADS = (HeadName.BOX_SPECIES,)
HEATMAP_HEADS = (HeadName.HEATMAP_HIRES, HeadName.HEATMAP, HeadName.HEATMAP_MAX)

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, done, total)."""


@dataclass(frozen=True)
class TrainSettings:
    """What to train and how. input_hw: rows, columns. weights: `imagenet`, `random` or a file.

    held_out: these cameras are judged on (a retraining judges on the same as the champion); else about
    held_out_share of the pictures, by whole cameras. final_fit: after judging, train again on everything.
    fit: of both heads; each head's own recipe where not given. epochs: at most so many, instead of the recipe's.
    seed: the same one gives the same model on one machine.
    """

    trunk: str = DEFAULT_TRUNK
    layer: str | None = None
    input_hw: tuple[int, int] = (360, 640)
    heads: tuple[HeadName, HeadName] = (HeadName.BOX_SPECIES, HeadName.HEATMAP_HIRES)
    weights: str | Path = "imagenet"
    label_set: LabelSet = DEFAULT_LABEL_SET
    held_out_share: float = 0.2
    held_out: tuple[str, ...] = ()
    final_fit: bool = False
    fit: FitSettings | None = None
    epochs: int | None = None
    seed: int = 0
    parent: str | None = None
    command: str = ""

    def fit_of(self, head: HeadName) -> FitSettings:
        """Return how a head is trained."""
        fit = dataclasses.replace(self.fit or recipe_for(head), seed=self.seed)
        return dataclasses.replace(fit, epochs=self.epochs, min_steps=0) if self.epochs else fit


@dataclass(frozen=True)
class TrainedDetector:
    """A trained Keras detector, its card, and the pictures that training went on without."""

    model: Any
    card: ModelCard
    unreadable: tuple[UnreadablePicture, ...]


@dataclass(frozen=True)
class _Split:
    train_rows: np.ndarray
    held_out_rows: np.ndarray
    cameras: tuple[str, ...]
    how: str


def train_detector(
    samples: Sequence[TrainingSample],
    *,
    settings: TrainSettings,
    features_dir: Path,
    progress: Progress = lambda stage, done, total: None,
) -> TrainedDetector:
    """Return a detector trained on these pictures and judged on cameras kept apart.

    Raises:
        TrainingError: too few pictures or species. UnknownNetwork, WeightsError: the networks cannot be built.
        UnknownSpecies: a label is not in the label set.
    """
    started = time.perf_counter()
    _check(samples, settings)
    computed = compute_features(
        samples,
        trunk=settings.trunk,
        weights=settings.weights,
        input_hw=settings.input_hw,
        layer=settings.layer,
        features_dir=features_dir,
        progress=lambda done, total: progress("features", done, total),
    )
    usable = _usable(samples, computed.features, computed.unreadable)
    split = _split(usable, settings)
    heads, judgement = _fit_and_judge(usable, computed.features, split, settings, progress)
    served = heads
    if settings.final_fit:
        served = _fit_on_everything(usable, computed.features, heads, settings, progress)
    model = _assemble([head.head for head in served], settings)
    card = _card(
        usable, split, settings, [head.fit for head in heads], judgement, seconds=time.perf_counter() - started
    )
    return TrainedDetector(model, card, computed.unreadable)


def _check(samples: Sequence[TrainingSample], settings: TrainSettings) -> None:
    box_head, heatmap_head = settings.heads
    if box_head not in BOX_HEADS or heatmap_head not in HEATMAP_HEADS:
        raise TrainingError(
            f"heads are {box_head}, {heatmap_head}; wanted {BOX_HEADS[0]} and one of {', '.join(HEATMAP_HEADS)}"
        )
    if not samples:
        raise TrainingError("no labelled pictures; register some with: cli labels import")
    for sample in samples:
        settings.label_set.index(sample.label.species)
        for labelled in sample.label.boxes:
            settings.label_set.index(labelled.species)


def _usable(
    samples: Sequence[TrainingSample], features: Features, unreadable: Sequence[UnreadablePicture]
) -> list[TrainingSample]:
    """Return the readable pictures, each content once: a copy on both sides of a split would leak."""
    usable = list({sample.sha256: sample for sample in samples if sample.sha256 in features}.values())
    species = {sample.label.species for sample in usable}
    if len(usable) < 4 or len(species) < 2:
        first = f"; first unreadable: {unreadable[0].reason}" if unreadable else ""
        raise TrainingError(
            f"{len(usable)} readable pictures of {len(species)} species; training needs at least 4 pictures and "
            f"2 species{first}"
        )
    return usable


def _split(samples: Sequence[TrainingSample], settings: TrainSettings) -> _Split:
    """Return who learns and who judges: by camera, at random only where all pictures are of one camera."""
    cameras = [sample.camera for sample in samples]
    if len(set(cameras)) < 2:
        held = random_split(len(samples), share=settings.held_out_share, seed=settings.seed)
        return _Split(np.flatnonzero(~held), np.flatnonzero(held), (), "random: all pictures are of one camera")
    chosen = tuple(camera for camera in settings.held_out if camera in set(cameras))
    if not chosen or len(chosen) == len(set(cameras)):
        species = [sample.label.species for sample in samples]
        chosen = held_out_cameras(cameras, species, share=settings.held_out_share, seed=settings.seed)
    held = np.isin(cameras, chosen)
    return _Split(np.flatnonzero(~held), np.flatnonzero(held), chosen, "by camera")


def _fit_and_judge(
    samples: list[TrainingSample], features: Features, split: _Split, settings: TrainSettings, progress: Progress
) -> tuple[list[TrainedHead], Judgement]:
    heads = [
        train_head(
            name,
            samples,
            features,
            train_rows=split.train_rows,
            held_out_rows=split.held_out_rows,
            label_set=settings.label_set,
            input_hw=settings.input_hw,
            fit=settings.fit_of(name),
            progress=_stage(progress, name),
        )
        for name in settings.heads
    ]
    outputs = {name: output for head in heads for name, output in head.outputs.items()}
    held = HeldOut([samples[row] for row in split.held_out_rows], outputs, settings.label_set, settings.input_hw)
    return heads, judge(held)


def _stage(progress: Progress, name: HeadName) -> Callable[[int, int], None]:
    return lambda done, total: progress(f"head {name}", done, total)


def _fit_on_everything(
    samples: list[TrainingSample],
    features: Features,
    earlier: Sequence[TrainedHead],
    settings: TrainSettings,
    progress: Progress,
) -> list[TrainedHead]:
    """Return heads trained on all pictures for as many epochs as were best before."""
    everything = np.arange(len(samples))
    return [
        train_head(
            head.name,
            samples,
            features,
            train_rows=everything,
            held_out_rows=everything[:0],
            label_set=settings.label_set,
            input_hw=settings.input_hw,
            fit=settings.fit_of(head.name),
            epochs=head.fit.best_epoch,
            progress=_stage(progress, head.name),
        )
        for head in earlier
    ]


def _assemble(heads: Sequence[Any], settings: TrainSettings) -> Any:
    from worker.models.detector import build_detector
    from worker.models.trunks import build_trunk

    trunk = build_trunk(settings.trunk, input_hw=settings.input_hw, weights=settings.weights, layer=settings.layer)
    return build_detector(trunk, *heads)


def _card(
    samples: Sequence[TrainingSample],
    split: _Split,
    settings: TrainSettings,
    fits: Sequence[HeadFit],
    judgement: Judgement,
    *,
    seconds: float,
) -> ModelCard:
    from worker.models.trunks import trunk_spec

    seen = Counter(sample.label.species for sample in samples)
    parameters: dict[str, object] = {
        "weights": str(settings.weights),
        "fit": {str(name): dataclasses.asdict(settings.fit_of(name)) for name in settings.heads},
        "final_fit": settings.final_fit,
        "split": split.how,
        "held_out_share": settings.held_out_share,
        "pictures": len(samples),
        "pictures_held_out": len(split.held_out_rows),
        "species_without_pictures": [name for name in settings.label_set.names if not seen[name]],
        "epochs_run": {str(name): fit.epochs_run for name, fit in zip(settings.heads, fits, strict=True)},
        "head_seconds": {str(name): round(fit.seconds, 1) for name, fit in zip(settings.heads, fits, strict=True)},
    }
    return ModelCard(
        kind=DETECTOR_KIND,
        trunk=settings.trunk,
        layer=settings.layer or trunk_spec(settings.trunk).layer,
        input_hw=settings.input_hw,
        species=settings.label_set.names,
        heads=tuple(str(name) for name in settings.heads),
        parameters=parameters,
        metrics=judgement.metrics,
        metrics_by=judgement.metrics_by,
        dataset_sha256=dataset_sha256(samples),
        folds=(split.cameras,),
        parent=settings.parent,
        versions={name: importlib.metadata.version(name) for name in ("keras", "numpy", "taffrail")},
        train_seconds=round(seconds, 1),
        command=settings.command,
    )
