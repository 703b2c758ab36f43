"""Evaluates the recipe of `cli train` as a whole, for the step of `cli evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from db.domain.evaluations import FoldFacts, FoldVerdict
from db.progress import StageProgress, of_stage
from db.settings import Settings
from worker.evaluation.cross_validate import fold_facts, folds_of, refuse_early
from worker.evaluation.figures import compared_figures
from worker.evaluation.whole_recipe import WholeRecipe, evaluate_whole
from worker.images.labelled import SkippedFile
from worker.models.names import INPUT_HW, CropMethod, DetectorKind
from worker.models.trunks import named_weights
from worker.steps.evaluation_told import count_alike, evaluated_on, written
from worker.steps.left_out import told_of
from worker.steps.requests import EvaluateRequest, EvaluateResult
from worker.training.crops.settings import CropTrainSettings
from worker.training.data.check_samples import check_samples
from worker.training.data.near_duplicates import near_duplicates
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import Fold, SplitKind
from worker.training.detector.settings import TrainSettings
from worker.training.features.thumbnails import thumbnails_of


def evaluate_recipe(
    request: EvaluateRequest, settings: Settings, samples: Sequence[TrainingSample], progress: StageProgress
) -> EvaluateResult:
    """Return figures of both stages and of the final answer over folds, everything trained anew for each.

    Raises:
        TrainingError, ModelError: the labels held do not suffice; names what is missing.
    """
    split, recipe = SplitKind(request.split), _recipe(request, settings)
    checked = check_samples(samples, settings.label_set)
    refuse_early(checked.samples, split)
    once = list({sample.sha256: sample for sample in checked.samples}.values())
    small = thumbnails_of(once, settings.features_dir, progress=of_stage(progress, "thumbnails"))
    usable = list(small.samples)
    alike = near_duplicates(small.pixels, [(sample.width_px, sample.height_px) for sample in usable])
    folds = folds_of(usable, alike, split, folds=request.folds, seed=request.seed)
    skipped: list[SkippedFile] = []
    evaluated, answers, verdicts = evaluate_whole(
        recipe, usable, folds, heatmaps=request.out is not None, on_skipped=skipped.append, progress=progress
    )
    result = EvaluateResult(
        split=str(split),
        trunk=request.trunk,
        folds=tuple(_told(fold, verdict, usable) for fold, verdict in zip(folds, verdicts, strict=True)),
        near_duplicates=count_alike(alike),
        **dict(evaluated_on(request, usable, evaluated, recipe.detector.input_hw)),
        compared_models=tuple(compared_figures(evaluated, one, evaluated.folds) for one in answers),
        unreadable=told_of((*checked.skipped, *small.skipped, *skipped)),
        repaired=told_of(checked.repaired),
    )
    return written(request, result, evaluated, answers)


def _recipe(request: EvaluateRequest, settings: Settings) -> WholeRecipe:
    weights, method = named_weights(request.weights), request.second_stage.method
    detector = TrainSettings(
        kind=DetectorKind.CENTRE,
        trunk=request.trunk,
        input_hw=INPUT_HW[DetectorKind.CENTRE],
        weights=weights,
        label_set=settings.label_set,
        epochs=request.epochs,
        seed=request.seed,
    )
    return WholeRecipe(
        detector,
        None if method is None else _crops(request, settings, method),
        settings.features_dir,
        settings.home / "training",
    )


def _crops(request: EvaluateRequest, settings: Settings, method: CropMethod) -> CropTrainSettings:
    return CropTrainSettings(
        method=method,
        trunk=request.trunk,
        weights=named_weights(request.weights),
        label_set=settings.label_set,
        seed=request.seed,
    )


def _told(fold: Fold, verdict: FoldVerdict, samples: Sequence[TrainingSample]) -> FoldFacts:
    return replace(fold_facts(fold, samples), **asdict(verdict))
