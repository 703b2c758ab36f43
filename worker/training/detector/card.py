"""Writes the card of a trained detector."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from db.domain.box_confidence import BoxConfidence
from db.domain.cameras import side_of
from db.domain.model_versions import ModelCard
from db.domain.train_recipe import TrainRecipe, TrainRecord, TunedBlocks, TunedFit
from db.version import version
from worker.models.names import DetectorKind, HeadName
from worker.models.trunks import trunk_spec
from worker.training.data.samples import TrainingSample, dataset_sha256
from worker.training.detector.figures import DetectorEvaluation
from worker.training.detector.fine_tune import TunedDetector
from worker.training.detector.fit import HeadFit

if TYPE_CHECKING:
    from worker.training.detector.fit_centre import CentreHeads
    from worker.training.detector.has_learnt import Learnt
    from worker.training.detector.settings import TrainSettings
    from worker.training.detector.split import RowSplit

DETECTOR_KIND = str(DetectorKind.LESSON)


def detector_card(
    samples: Sequence[TrainingSample],
    settings: TrainSettings,
    *,
    how_split: str,
    held_out_cameras: tuple[str, ...],
    images_held_out: int,
    fits: tuple[HeadFit, HeadFit],
    tuned: TunedDetector | None,
    evaluation: DetectorEvaluation,
    seconds: float,
) -> ModelCard:
    """Return the card of a detector: what was asked for, what it learnt from, how it was evaluated.

    samples: all images, learnt from or evaluated on. fits: of the heads in the order of settings.heads.
    """
    by_head = dict(zip(settings.heads, fits, strict=True))
    record = _record(samples, settings, how_split=how_split, images_held_out=images_held_out).model_copy(
        update={
            "epochs_run": {str(name): fit.epochs_run for name, fit in by_head.items()},
            "epoch_kept": {str(name): fit.best_epoch for name, fit in by_head.items()},
            "head_seconds": {str(name): round(fit.seconds, 1) for name, fit in by_head.items()},
            "fine_tuned": _tuned_fit(tuned) if tuned is not None else None,
        }
    )
    recipe = _recipe(settings).model_copy(
        update={"fit": {str(name): dataclasses.asdict(settings.fit_of(name)) for name in settings.heads}}
    )
    return _card(samples, settings, DetectorKind.LESSON, recipe, record, evaluation, held_out_cameras, seconds)


_LEARNT_APART = "every camera; the figures are of a head that learnt without the held-out ones"


def centre_card(
    samples: Sequence[TrainingSample],
    settings: TrainSettings,
    *,
    split: RowSplit,
    heads: CentreHeads,
    evaluation: DetectorEvaluation,
    confidence: BoxConfidence,
    learnt: Learnt,
    seconds: float,
) -> ModelCard:
    """Return the card of a centre detector. samples: all images, learnt from or evaluated on."""
    record = _record(samples, settings, how_split=split.how, images_held_out=len(split.held_out_rows)).model_copy(
        update={
            "steps": heads.steps,
            "epoch_kept": "the last of a fixed schedule",
            "boxes_learnt_from": _LEARNT_APART if settings.tune_in is None else "the training cameras, as the figures",
            "losses": tuple(heads.losses),
            "head_seconds": {DetectorKind.CENTRE.value: round(heads.seconds, 1)},
        }
    )
    recipe = _recipe(settings).model_copy(
        update={
            "fit": {DetectorKind.CENTRE.value: dataclasses.asdict(settings.centre_fit())},
            "finetune_trunk": settings.tune_in is not None,
        }
    )
    card = _card(samples, settings, DetectorKind.CENTRE, recipe, record, evaluation, split.cameras, seconds)
    return dataclasses.replace(
        card,
        heads=(str(HeadName.BOX_SPECIES), str(HeadName.HEATMAP_HIRES)),
        box_confidence=confidence,
        blind=learnt.blind,
        cautions=learnt.cautions,
    )


def _recipe(settings: TrainSettings) -> TrainRecipe:
    tuned = settings.fine_tune
    return TrainRecipe(
        weights=str(settings.weights),
        held_out_share=settings.held_out_share,
        augment=settings.augment,
        fine_tune=None if tuned is None else TunedBlocks(blocks=tuned.blocks, epochs=tuned.epochs),
        final_fit=settings.final_fit,
    )


def _record(
    samples: Sequence[TrainingSample], settings: TrainSettings, *, how_split: str, images_held_out: int
) -> TrainRecord:
    """Return what the cards of all detectors say of their images."""
    seen = Counter(sample.label.species for sample in samples)
    return TrainRecord(
        split=how_split,
        images=len(samples),
        images_held_out=images_held_out,
        cameras=tuple(sorted({side_of(sample.camera) for sample in samples})),
        species_without_images=tuple(name for name in settings.label_set.names if not seen[name]),
        images_guessed=sum(sample.guessed for sample in samples),
    )


def _tuned_fit(tuned: TunedDetector) -> TunedFit:
    fit = tuned.fit
    return TunedFit(
        from_layer=tuned.layer,
        epochs_run=fit.epochs_run,
        best_epoch=fit.best_epoch,
        seconds=round(fit.seconds, 1),
    )


def _card(
    samples: Sequence[TrainingSample],
    settings: TrainSettings,
    kind: DetectorKind,
    recipe: TrainRecipe,
    record: TrainRecord,
    evaluation: DetectorEvaluation,
    held_out_cameras: tuple[str, ...],
    seconds: float,
) -> ModelCard:
    return ModelCard(
        kind=str(kind),
        trunk=settings.trunk,
        layer=settings.layer or trunk_spec(settings.trunk).layer,
        input_hw=settings.input_hw,
        species=settings.label_set.names,
        heads=tuple(str(name) for name in settings.heads),
        recipe=recipe,
        record=record,
        metrics=evaluation.metrics,
        metrics_by=evaluation.metrics_by,
        dataset_sha256=dataset_sha256(samples),
        folds=(held_out_cameras,),
        parent=settings.parent,
        versions={**{name: importlib.metadata.version(name) for name in ("keras", "numpy")}, "taffrail": version()},
        train_seconds=round(seconds, 1),
        command=settings.command,
    )
