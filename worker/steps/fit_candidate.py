"""Trains a candidate on a stored data set, in a process of its own: `python -m worker.steps.fit_candidate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from db.domain.datasets import Dataset
from db.domain.model_versions import ModelCard
from db.domain.train_recipe import CropRecipe
from db.migrate import open_database
from db.progress import StageProgress
from db.session import reading
from db.settings import Settings, get_settings
from db.store.datasets import get_dataset
from db.store.model_versions import ModelVersion, get_model
from db.store.species import project_settings
from worker.models.errors import TrainingError
from worker.models.names import CropMethod, DetectorKind, HeadName, Parts, SecondStageChoice
from worker.models.trunks import named_weights
from worker.steps.left_out import told_of
from worker.steps.requests import FIT_CANDIDATE, FitRequest, FitResult
from worker.steps.step_process import serve_step
from worker.storage.model_files import HeldModel, check_model_file, load_model_file, read_card, save_bundle
from worker.training.crops.add_second_stage import TwoStages, add_second_stage
from worker.training.crops.held import crop_settings, false_boxes_held
from worker.training.crops.settings import CropTrainSettings
from worker.training.data.samples import TrainingSample, with_false_boxes
from worker.training.data.snapshot import training_samples
from worker.training.detector.fine_tune import FineTune
from worker.training.detector.settings import TrainSettings
from worker.training.detector.train_detector import train_detector
from worker.training.detector.trained import TrainedDetector


def fit_candidate(request: FitRequest, progress: StageProgress) -> FitResult:
    """Train like the parent on a data set and save the bundle, not yet registered; return its hashes.

    Raises:
        TrainingError: the parent is no detector, or too little can be read. ModelFileError: it cannot be saved.
    """
    engine = open_database(get_settings().database)
    settings = project_settings(engine, get_settings())
    parent = read_card(settings.models_dir, request.parent)
    if parent.kind not in list(DetectorKind):
        wanted = " or ".join(DetectorKind)
        raise TrainingError(f"model {request.parent}: is a {parent.kind}, wanted a {wanted} to train like")
    with reading(engine) as session:
        dataset = get_dataset(session, request.dataset)
        held = get_model(session, request.parent)
    parts, second_stage = way_of(request, parent)
    method = second_stage.method
    samples = with_false_boxes(training_samples(dataset.entries), false_boxes_held(engine))
    first = _detector(request, parent, held, dataset, samples, settings, progress, anew=parts is not Parts.CROPS)
    card, crops, missing = first.card, None, ""
    if parts is not Parts.HEADS and method is not None:
        try:
            how = _crop_settings(request, parent, first.card, settings, method)
            two = _second_stage(first, samples, how, settings, progress)
            card, crops = two.card, two.crops
        except TrainingError as error:
            if parts is Parts.CROPS:
                raise
            missing = str(error)
    elif parent.second_stage is not None and held.crops_sha256 is not None:
        part = parent.second_stage
        if not _evaluated_alike(parent, dataset):
            part = replace(part, metrics={}, metrics_by={})
        card = replace(card, second_stage=part)
        crops = HeldModel(held.model_id, held.crops_sha256)
    told = {"dataset": dataset.dataset_id, "parts": parts, "second_stage": second_stage}
    card = replace(card, dataset_sha256=dataset.sha256, recipe=card.recipe.model_copy(update=told))
    model = HeldModel(held.model_id, held.sha256) if parts is Parts.CROPS else first.model
    hashes = save_bundle(request.into, request.model, model, card, crops=crops, held_dir=settings.models_dir)
    return FitResult(**asdict(hashes), unreadable=told_of(first.unreadable), second_stage_missing=missing)


def _detector(
    request: FitRequest,
    parent: ModelCard,
    held: ModelVersion,
    dataset: Dataset,
    samples: Sequence[TrainingSample],
    settings: Settings,
    progress: StageProgress,
    *,
    anew: bool,
) -> TrainedDetector:
    """Return the first stage: trained anew, or the parent's with a card of its own."""
    if anew:
        return train_detector(
            samples,
            settings=_like_parent(request, parent, dataset, settings),
            features_dir=settings.features_dir,
            progress=progress,
        )
    folder = check_model_file(settings.models_dir, held.model_id, held.sha256)
    same = _evaluated_alike(parent, dataset)
    card = replace(
        parent,
        metrics=parent.metrics if same else {},
        metrics_by=parent.metrics_by if same else {},
        folds=(dataset.held_out_cameras,),
        parent=held.model_id,
        command=request.command,
        second_stage=None,
        train_seconds=0.0,
    )
    return TrainedDetector(load_model_file(folder), card, ())


def _evaluated_alike(parent: ModelCard, dataset: Dataset) -> bool:
    """Whether the parent's figures are of the cameras that evaluate now; a new card must not tell them otherwise."""
    return parent.folds == (dataset.held_out_cameras,)


def way_of(request: FitRequest, parent: ModelCard) -> tuple[Parts, SecondStageChoice]:
    """Return what is trained anew, and how a second stage is made, if one is.

    Both are the parent's where nothing else is asked for: who trained a detector alone gets none by surprise.
    """
    if parent.second_stage is not None:
        told = SecondStageChoice(parent.second_stage.method)
    else:
        told = parent.recipe.second_stage or SecondStageChoice.FINETUNE
    choice = request.second_stage or told
    parts = request.parts or (Parts.HEADS if choice is SecondStageChoice.NONE else Parts.BOTH)
    if parts is not Parts.HEADS and choice is SecondStageChoice.NONE:
        choice = SecondStageChoice.FINETUNE
    return parts, choice


def _second_stage(
    first: TrainedDetector,
    samples: Sequence[TrainingSample],
    how: CropTrainSettings,
    settings: Settings,
    progress: StageProgress,
) -> TwoStages:
    return add_second_stage(
        first.evaluated_model,
        first.card,
        samples,
        settings=how,
        features_dir=settings.features_dir,
        work_dir=settings.home / "training",
        progress=progress,
    )


def _crop_settings(
    request: FitRequest, parent: ModelCard, card: ModelCard, settings: Settings, method: CropMethod
) -> CropTrainSettings:
    """Return how the second stage is trained: the parent's way goes on where nothing else is asked for."""
    told = parent.second_stage.recipe if parent.second_stage is not None else CropRecipe()
    return crop_settings(
        card,
        settings,
        method=method,
        balance=request.balance or told.balance,
        by_sampling=told.by_sampling if request.by_sampling is None else request.by_sampling,
        seed=request.seed,
    )


def _like_parent(request: FitRequest, parent: ModelCard, dataset: Dataset, settings: Settings) -> TrainSettings:
    """Return the parent's networks and input; only what they learn from differs."""
    tuned = parent.recipe.fine_tune
    box_head, heatmap_head = (HeadName(name) for name in parent.heads)
    return TrainSettings(
        kind=DetectorKind(parent.kind),
        trunk=parent.trunk,
        layer=parent.layer,
        input_hw=parent.input_hw,
        heads=(box_head, heatmap_head),
        weights=named_weights(parent.recipe.weights),
        label_set=settings.label_set,
        held_out=dataset.held_out_cameras,
        epochs=request.epochs,
        augment=parent.recipe.augment,
        fine_tune=None if tuned is None else FineTune(tuned.blocks, tuned.epochs),
        tune_in=settings.home / "training" if parent.recipe.finetune_trunk else None,
        seed=request.seed,
        parent=request.parent,
        command=request.command,
    )


if __name__ == "__main__":
    serve_step(FIT_CANDIDATE, fit_candidate)
