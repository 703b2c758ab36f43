"""Gives a trained detector its second stage: crops, training, and the evaluation of both stages together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.domain.model_versions import ModelCard
from db.progress import StageProgress, no_stage_progress, of_stage
from worker.images.labelled import SkippedFile
from worker.inference.detector import Detector
from worker.inference.second_stage import CropClassifier
from worker.training.crops.evaluate import evaluate_images, evaluate_second_stage
from worker.training.crops.samples import crop_samples
from worker.training.crops.settings import CropTrainSettings
from worker.training.crops.train import train_crop_classifier
from worker.training.data.samples import TrainingSample


@dataclass(frozen=True)
class TwoStages:
    """The second stage's Keras model, the card of both stages, and what the training went without.

    left_out: one line for each labelled box that gave no crop.
    """

    crops: Any
    card: ModelCard
    left_out: tuple[str, ...]
    unreadable: tuple[SkippedFile, ...]


def add_second_stage(
    detector: Any,
    card: ModelCard,
    images: Sequence[TrainingSample],
    *,
    settings: CropTrainSettings,
    features_dir: Path,
    work_dir: Path,
    progress: StageProgress = no_stage_progress,
) -> TwoStages:
    """Return a second stage for this Keras detector, evaluated on the cameras that its card says were held out.

    The plain figures of the card become those of the final answer; the first stage's are kept as first_stage_*.
    Raises:
        TrainingError: too few crops, species or cameras. UnknownNetwork, WeightsError: the trunk cannot be built.
    """
    held_out = card.folds[0] if card.folds else ()
    found = crop_samples(images, seed=settings.seed)
    trained = train_crop_classifier(
        found.samples,
        settings=dataclasses.replace(settings, held_out=held_out),
        features_dir=features_dir,
        work_dir=work_dir,
        progress=progress,
    )
    part, figures, figures_by = trained.part, card.metrics, card.metrics_by
    evaluated = evaluate_images(
        [image for image in images if image.camera in held_out],
        detector=Detector(card, detector),
        crop_classifier=CropClassifier(part, trained.model),
        progress=of_stage(progress, "evaluation both stages"),
    )
    if evaluated:
        evaluation = evaluate_second_stage(evaluated, part)
        part, figures = evaluation.part, {**card.metrics, **evaluation.metrics}
        figures_by = _with_final(card.metrics_by, evaluation.metrics_by)
    two = dataclasses.replace(
        card,
        metrics=figures,
        metrics_by=figures_by,
        second_stage=part,
        train_seconds=round(card.train_seconds + part.train_seconds, 1),
    )
    return TwoStages(trained.model, two, found.left_out, trained.unreadable)


def _with_final(
    first: dict[str, dict[str, dict[str, float]]], final: dict[str, dict[str, dict[str, float]]]
) -> dict[str, dict[str, dict[str, float]]]:
    return {
        kind: {name: {**first.get(kind, {}).get(name, {}), **row} for name, row in rows.items()}
        for kind, rows in final.items()
    }
