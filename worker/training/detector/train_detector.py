"""Trains a detector from labelled images: features, both heads, figures on cameras it has not seen, the card."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from db.progress import StageProgress, no_stage_progress, of_stage
from worker.images.labelled import SkippedFile
from worker.models.detector import build_detector
from worker.models.errors import TrainingError
from worker.models.names import INPUT_HW, DetectorKind, HeadName
from worker.models.trunks import build_trunk
from worker.training.data.check_samples import check_samples
from worker.training.data.samples import TrainingSample
from worker.training.detector.card import detector_card
from worker.training.detector.figures import HeldOut, evaluate
from worker.training.detector.fine_tune import FineTune, TunedDetector, tune_detector
from worker.training.detector.fit import HeadFit
from worker.training.detector.settings import TrainSettings
from worker.training.detector.split import split_rows
from worker.training.detector.train_centre import train_centre_detector
from worker.training.detector.train_head import spare_stopping_rows, train_head
from worker.training.detector.trained import TrainedDetector, require_enough
from worker.training.features.cache import Features
from worker.training.features.compute import FeatureSource
from worker.training.features.views import add_views

BOX_HEADS = (HeadName.BOX_SPECIES,)
HEATMAP_HEADS = (HeadName.HEATMAP_HIRES, HeadName.HEATMAP, HeadName.HEATMAP_MAX)


@dataclass(frozen=True)
class _Trained:
    """Both heads (Keras models) on a trunk, how their training went, and what they say of the held-out images."""

    trunk: Any
    heads: tuple[Any, Any]
    fits: tuple[HeadFit, HeadFit]
    outputs: dict[str, np.ndarray]
    tuned: TunedDetector | None = None


def train_detector(
    samples: Sequence[TrainingSample],
    *,
    settings: TrainSettings,
    features_dir: Path,
    progress: StageProgress = no_stage_progress,
) -> TrainedDetector:
    """Return a detector trained on these images and evaluated on cameras kept apart.

    Raises:
        TrainingError: too few images or species. UnknownNetwork, WeightsError: the networks cannot be built.
        UnknownSpecies: a label is not in the label set.
    """
    started = time.perf_counter()
    _check(samples, settings)
    checked = check_samples(samples, settings.label_set)
    if settings.kind is DetectorKind.CENTRE and not any(sample.label.boxes for sample in checked.samples):
        return _without_boxes(samples, settings, features_dir, progress)
    if settings.kind is DetectorKind.CENTRE:
        return train_centre_detector(checked, settings=settings, features_dir=features_dir, progress=progress)
    source = FeatureSource(settings.trunk, settings.weights, settings.input_hw, features_dir, progress)
    computed = source.compute(checked.samples, layer=settings.layer)
    unreadable = (*checked.skipped, *computed.unreadable)
    usable = usable_samples(checked.samples, computed.features, unreadable)
    split = split_rows(usable, settings, features_dir)
    unreadable = (*unreadable, *split.skipped)
    trained = _train(usable, computed.features, split.train_rows, split.held_out_rows, source, settings)
    held = [usable[row] for row in split.held_out_rows]
    evaluation = evaluate(HeldOut(held, trained.outputs, settings.label_set, settings.input_hw))
    served = trained
    if settings.final_fit:
        # As many epochs on all images as were best before: nothing is left to tell when to stop.
        everything = np.arange(len(usable))
        served = _train(usable, computed.features, everything, everything[:0], source, settings, before=trained)
    card = detector_card(
        usable,
        settings,
        how_split=split.how,
        held_out_cameras=split.cameras,
        images_held_out=len(held),
        fits=trained.fits,
        tuned=trained.tuned,
        evaluation=evaluation,
        seconds=time.perf_counter() - started,
    )
    return TrainedDetector(build_detector(served.trunk, *served.heads), card, unreadable, checked.repaired)


def _without_boxes(
    samples: Sequence[TrainingSample], settings: TrainSettings, features_dir: Path, progress: StageProgress
) -> TrainedDetector:
    """Return the lesson's detector, which learns from species alone, and say so."""
    lesson = dataclasses.replace(settings, kind=DetectorKind.LESSON, input_hw=INPUT_HW[DetectorKind.LESSON])
    trained = train_detector(samples, settings=lesson, features_dir=features_dir, progress=progress)
    text = "learnt from no box: no label has one, so it knows species alone and its boxes mean nothing"
    return dataclasses.replace(trained, card=dataclasses.replace(trained.card, cautions=(text,)))


def _check(samples: Sequence[TrainingSample], settings: TrainSettings) -> None:
    box_head, heatmap_head = settings.heads
    if box_head not in BOX_HEADS or heatmap_head not in HEATMAP_HEADS:
        raise TrainingError(
            f"heads are {box_head}, {heatmap_head}; wanted {BOX_HEADS[0]} and one of {', '.join(HEATMAP_HEADS)}"
        )
    if not samples:
        raise TrainingError("no labelled images; register some with: cli labels import")


def usable_samples(
    samples: Sequence[TrainingSample], features: Features, unreadable: Sequence[SkippedFile]
) -> list[TrainingSample]:
    """Return the readable images, each content once: a copy on both sides of a split would leak.

    Raises:
        TrainingError: too few images or species.
    """
    usable = list({sample.sha256: sample for sample in samples if sample.sha256 in features}.values())
    require_enough(usable, unreadable, species=2)
    return usable


def _train(
    samples: list[TrainingSample],
    features: Features,
    train_rows: np.ndarray,
    held_out_rows: np.ndarray,
    source: FeatureSource,
    settings: TrainSettings,
    *,
    before: _Trained | None = None,
) -> _Trained:
    """Return both heads trained; for exactly the epochs that were best before, where that is given."""
    seen, images, views = samples, features, None
    if settings.augment:
        viewed = add_views(
            samples,
            features,
            learn_rows=train_rows,
            count=settings.augment,
            input_hw=settings.input_hw,
            compute=lambda some, view: source.compute(some, layer=settings.layer, view=view).features,
        )
        seen, images, views = viewed.samples, viewed.features, viewed.rows
    heads = [
        train_head(
            name,
            seen,
            images,
            train_rows=train_rows,
            held_out_rows=held_out_rows,
            label_set=settings.label_set,
            input_hw=settings.input_hw,
            fit=settings.fit_of(name),
            epochs=before.fits[place].best_epoch if before else None,
            views=views,
            progress=of_stage(source.progress, f"head {name}"),
        )
        for place, name in enumerate(settings.heads)
    ]
    trained = _Trained(
        trunk=build_trunk(settings.trunk, input_hw=settings.input_hw, weights=settings.weights, layer=settings.layer),
        heads=(heads[0].head, heads[1].head),
        fits=(heads[0].fit, heads[1].fit),
        outputs={name: output for head in heads for name, output in head.outputs.items()},
    )
    if settings.fine_tune is None:
        return trained
    return _tune(trained, settings.fine_tune, samples, train_rows, held_out_rows, source, settings, before=before)


def _tune(
    trained: _Trained,
    options: FineTune,
    samples: list[TrainingSample],
    train_rows: np.ndarray,
    held_out_rows: np.ndarray,
    source: FeatureSource,
    settings: TrainSettings,
    *,
    before: _Trained | None,
) -> _Trained:
    learn_rows, stop_rows = train_rows, train_rows[:0]
    if before is None:
        learn_rows, stop_rows = spare_stopping_rows(samples, train_rows, seed=settings.seed)
    elif before.tuned is not None:
        if before.tuned.fit.best_epoch == 0:
            return trained  # tuning did not help where it could be seen
        options = dataclasses.replace(options, epochs=before.tuned.fit.best_epoch)
    tuned = tune_detector(
        trained.trunk,
        trained.heads,
        samples,
        lambda layer: source.compute(samples, layer=layer).features,
        options=options,
        learn_rows=learn_rows,
        stop_rows=stop_rows,
        held_out_rows=held_out_rows,
        label_set=settings.label_set,
        input_hw=settings.input_hw,
        fit=settings.fit_of(settings.heads[1]),
        progress=lambda stage: of_stage(source.progress, stage),
    )
    return dataclasses.replace(trained, outputs=tuned.outputs or trained.outputs, tuned=tuned)
