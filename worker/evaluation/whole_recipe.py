"""Evaluates the whole recipe of `cli train` by camera folds: everything is trained anew without a fold's cameras.

Each fold's model is what a user would have got from the other cameras: its calibrations and its second stage's share
were fitted without the cameras that judge it now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from db.domain.evaluations import FoldVerdict
from db.domain.model_versions import ModelCard
from db.progress import StageProgress, of_stage
from worker.evaluation.answers import Answers, EvaluatedImages
from worker.evaluation.version import Sides, evaluate_version
from worker.images.labelled import Skip
from worker.inference.detector import Detector
from worker.inference.second_stage import CropClassifier
from worker.models.errors import TrainingError
from worker.training.crops.add_second_stage import add_second_stage
from worker.training.crops.settings import CropTrainSettings
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import Fold
from worker.training.detector.settings import TrainSettings
from worker.training.detector.train_detector import train_detector


@dataclass(frozen=True)
class WholeRecipe:
    """What is trained. crops: None for a detector alone. work_dir: where a fine-tuning keeps its place."""

    detector: TrainSettings
    crops: CropTrainSettings | None
    features_dir: Path
    work_dir: Path


@dataclass(frozen=True)
class _FoldModel:
    """A fold's model as it would serve."""

    card: ModelCard
    detector: Detector
    crop_classifier: CropClassifier | None
    verdict: FoldVerdict


def evaluate_whole(
    recipe: WholeRecipe,
    samples: Sequence[TrainingSample],
    folds: Sequence[Fold],
    *,
    heatmaps: bool,
    on_skipped: Skip,
    progress: StageProgress,
) -> tuple[EvaluatedImages, list[Answers], list[FoldVerdict]]:
    """Return the evaluated images, what is said of them by the recipe's parts and as a whole, and each fold's verdict.

    Where some folds have no second stage, the first stage's word stands for the final answer there.
    Raises:
        TrainingError: a fold's cameras leave too little to learn from. ModelError: none of its images can be read.
    """
    judged: list[TrainingSample] = []
    places: list[int] = []
    answers: list[list[Answers]] = []
    verdicts: list[FoldVerdict] = []
    for number, fold in enumerate(folds):
        called = f"fold {number + 1} of {len(folds)}"
        told = _named(progress, called)
        sides = Sides([samples[row] for row in fold.learn_rows], [samples[row] for row in fold.eval_rows])
        made = _trained(recipe, sides.learnt, told)
        evaluated, said = evaluate_version(
            made.card,
            sides,
            detector=made.detector,
            crop_classifier=made.crop_classifier,
            weight_fitted_on_others=True,
            heatmaps=heatmaps,
            on_skipped=on_skipped,
            progress=of_stage(told, "evaluation"),
        )
        judged += evaluated.samples
        places += [number] * len(evaluated.samples)
        answers.append(said)
        verdicts.append(made.verdict)
    images = EvaluatedImages(judged, np.array(places, dtype=np.int64), recipe.detector.label_set)
    return images, _joined(answers), verdicts


def _named(progress: StageProgress, called: str) -> StageProgress:
    return lambda stage, done, total: progress(f"{called}: {stage}", done, total)


def _trained(recipe: WholeRecipe, learn: Sequence[TrainingSample], progress: StageProgress) -> _FoldModel:
    trained = train_detector(learn, settings=recipe.detector, features_dir=recipe.features_dir, progress=progress)
    card, classifier, missing = trained.card, None, ""
    if recipe.crops is not None:
        try:
            two = add_second_stage(
                trained.evaluated_model,
                card,
                learn,
                settings=recipe.crops,
                features_dir=recipe.features_dir,
                work_dir=recipe.work_dir,
                progress=progress,
            )
            card = two.card
            assert card.second_stage is not None  # it was just added
            classifier = CropClassifier(card.second_stage, two.crops)
        except TrainingError as error:  # a detector alone answers, too
            missing = str(error)
    verdict = FoldVerdict(trained.card.blind, trained.card.cautions, missing)
    return _FoldModel(card, Detector(card, trained.model), classifier, verdict)


def _joined(folds: Sequence[Sequence[Answers]]) -> list[Answers]:
    """Return each compared model's answers to all images, fold after fold."""
    most = max(folds, key=len)
    return [_join([_of(said, one.name) for said in folds], one.name) for one in most]


def _of(said: Sequence[Answers], name: str) -> Answers:
    """Return a compared model's answers; the first stage's, the last of those that are there, for a second stage."""
    return next((one for one in said if one.name == name), said[-1])


def _join(parts: Sequence[Answers], name: str) -> Answers:
    largest = [one.largest for one in parts if one.largest is not None]
    return Answers(
        name,
        np.concatenate([one.probabilities for one in parts]),
        largest=np.concatenate(largest) if len(largest) == len(parts) else None,
        found=None if any(one.found is None for one in parts) else [fish for one in parts for fish in one.found or ()],
        heatmaps=[heat for one in parts for heat in one.heatmaps],
    )
