"""Trains a detector from the labels held and registers it: `python -m worker.steps.train`, started by `cli train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.domain.cards import plain_card
from db.domain.datasets import Dataset
from db.domain.model_versions import ModelState
from db.migrate import open_database
from db.progress import StageProgress
from db.session import transaction
from db.settings import Settings, get_settings
from db.store.model_versions import get_champion, register_model
from db.store.species import project_settings
from worker.models.errors import TrainingError
from worker.models.names import INPUT_HW
from worker.models.trunks import named_weights
from worker.steps.left_out import told_of
from worker.steps.optimise import choose_at_once
from worker.steps.requests import TRAIN, TrainRequest, TrainResult
from worker.steps.step_process import serve_step
from worker.storage.artifacts import publish_model
from worker.storage.model_files import new_model_id, save_bundle
from worker.training.crops.add_second_stage import add_second_stage
from worker.training.crops.held import crop_settings, false_boxes_held
from worker.training.data.samples import TrainingSample, with_false_boxes
from worker.training.data.snapshot import take_snapshot, training_samples
from worker.training.detector.fine_tune import FineTune
from worker.training.detector.settings import TrainSettings, input_hw_of
from worker.training.detector.train_detector import train_detector
from worker.training.detector.trained import TrainedDetector


def train(request: TrainRequest, progress: StageProgress) -> TrainResult:
    """Return what came of a training: the new version, its state and figures, and the images left out."""
    engine = open_database(get_settings().database)
    settings = project_settings(engine, get_settings())
    asked = _train_settings(request, settings)
    with transaction(engine) as session:
        dataset = training_dataset(session, request, settings)
    samples = with_false_boxes(training_samples(dataset.entries), false_boxes_held(engine))
    trained = train_detector(
        samples,
        settings=replace(asked, held_out=dataset.held_out_cameras),
        features_dir=settings.features_dir,
        progress=progress,
    )
    recipe = trained.card.recipe.model_copy(update={"second_stage": request.second_stage})
    trained = replace(trained, card=replace(trained.card, dataset_sha256=dataset.sha256, recipe=recipe))
    missing = ""
    try:
        trained, crops = _with_second_stage(trained, samples, request, settings, progress)
    except TrainingError as error:  # a detector alone serves, too
        crops, missing = None, str(error)
    model_id, state = keep_model(
        engine,
        settings,
        trained,
        crops=crops,
        note="trained by cli train",
        dataset_id=dataset.dataset_id,
        may_serve=not trained.card.blind or request.anyway,
    )
    chosen = choose_at_once(model_id, settings, progress) if state is ModelState.CHAMPION else None
    return TrainResult(
        model=model_id,
        state=str(state),
        metrics=trained.card.metrics,
        recipe=trained.card.recipe,
        record=trained.card.record,
        held_out_cameras=trained.card.folds[0],
        second_stage=trained.card.second_stage,
        second_stage_missing=missing,
        blind=trained.card.blind,
        cautions=trained.card.cautions,
        train_seconds=trained.card.train_seconds,
        unreadable=told_of(trained.unreadable),
        repaired=told_of(trained.repaired),
        runtime=chosen,
    )


def training_dataset(session: Session, request: TrainRequest, settings: Settings) -> Dataset:
    """Return the data set that `cli train` asked for; with `pseudo` also what the champion is that sure of.

    Raises:
        TrainingError: no champion, so nothing is sure of anything. SnapshotError: nobody said anything yet.
    """
    champion, floor = get_champion(session), request.pseudo
    if floor is None:
        return take_snapshot(session, settings, champion=champion, held_out_share=request.held_out_share)
    if champion is None:
        raise TrainingError(
            "--pseudo: no model serves yet that could be sure of an image; `cli train` makes one, `cli enqueue DIR` "
            "asks it about unlabelled images"
        )
    surer = settings.model_copy(update={"pseudo_confidence": floor})
    return take_snapshot(session, surer, champion=champion, pseudo_labels=True, held_out_share=request.held_out_share)


def _with_second_stage(
    trained: TrainedDetector,
    samples: Sequence[TrainingSample],
    request: TrainRequest,
    settings: Settings,
    progress: StageProgress,
) -> tuple[TrainedDetector, Any]:
    """Return the detector with the card of both stages, and the crop classifier; None where none was asked for."""
    method = request.second_stage.method
    if method is None:
        return trained, None
    two = add_second_stage(
        trained.evaluated_model,
        trained.card,
        samples,
        settings=crop_settings(
            trained.card,
            settings,
            method=method,
            balance=request.balance,
            by_sampling=request.by_sampling,
            seed=request.seed,
        ),
        features_dir=settings.features_dir,
        work_dir=settings.home / "training",
        progress=progress,
    )
    return replace(trained, card=two.card), two.crops


def keep_model(
    engine: Engine,
    settings: Settings,
    trained: TrainedDetector,
    *,
    note: str,
    dataset_id: int,
    crops: Any = None,
    may_serve: bool = True,
) -> tuple[str, ModelState]:
    """Return the id and state of a trained model, its files saved first: a row never names a file that is not there.

    crops: the second stage's Keras model, None where the card speaks of none. may_serve: at once, if it is the first.
    """
    model_id = new_model_id()
    hashes = save_bundle(settings.models_dir, model_id, trained.model, trained.card, crops=crops)
    publish_model(settings, model_id)
    with transaction(engine) as session:
        state = register_model(
            session,
            model_id,
            sha256=hashes.sha256,
            crops_sha256=hashes.crops_sha256,
            card=plain_card(trained.card),
            note=note,
            dataset_id=dataset_id,
            may_serve=may_serve,
        )
    return model_id, state


def _train_settings(request: TrainRequest, settings: Settings) -> TrainSettings:
    blocks = request.fine_tune
    return TrainSettings(
        kind=request.kind,
        trunk=request.trunk,
        layer=request.layer,
        input_hw=input_hw_of(request.kind, request.input_hw or INPUT_HW[request.kind]),
        heads=request.heads,
        weights=named_weights(request.weights),
        label_set=settings.label_set,
        held_out_share=request.held_out_share,
        final_fit=request.final_fit,
        epochs=request.epochs,
        augment=request.augment,
        tune_in=settings.home / "training" if request.finetune_trunk else None,
        fine_tune=FineTune(blocks, request.fine_tune_epochs) if blocks else None,
        seed=request.seed,
        command=request.command,
    )


if __name__ == "__main__":
    serve_step(TRAIN, train)
