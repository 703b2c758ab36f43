"""Trains a detector from the labels held and registers it: `python -m worker.steps.train`, started by `cli train`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.domain.datasets import Dataset
from db.domain.model_versions import ModelState
from db.migrate import open_database
from db.progress import StageProgress
from db.session import transaction
from db.settings import Settings, get_settings
from db.store.model_versions import get_champion, register_model
from worker.models.errors import TrainingError
from worker.models.names import INPUT_HW, DetectorKind, HeadName
from worker.models.trunks import named_weights
from worker.steps.step_process import Request, serve_step
from worker.storage.artifacts import publish_model
from worker.storage.model_files import new_model_id, plain_card, save_bundle
from worker.training.crops.add_second_stage import add_second_stage
from worker.training.crops.held import NO_SECOND_STAGE, SECOND_STAGE, crop_settings, false_boxes_held
from worker.training.crops.settings import CropMethod
from worker.training.data.samples import TrainingSample
from worker.training.data.snapshot import take_snapshot, training_samples
from worker.training.detector.fine_tune import FineTune
from worker.training.detector.settings import TrainSettings, input_hw_of
from worker.training.detector.train_detector import train_detector
from worker.training.detector.trained import TrainedDetector


def train(request: Request, progress: StageProgress) -> Request:
    """Return what came of a training: the new version, its state and figures, and the images left out."""
    settings = get_settings()
    asked = _train_settings(request, settings)
    engine = open_database(settings.database)
    with transaction(engine) as session:
        dataset = training_dataset(session, request, settings)
    samples = training_samples(dataset.entries)
    trained = train_detector(
        samples,
        settings=replace(asked, held_out=dataset.held_out_cameras),
        features_dir=settings.features_dir,
        progress=progress,
    )
    parameters = {**trained.card.parameters, SECOND_STAGE: _asked_second_stage(request)}
    trained = replace(trained, card=replace(trained.card, dataset_sha256=dataset.sha256, parameters=parameters))
    missing = ""
    try:
        trained, crops = _with_second_stage(trained, samples, request, settings, engine, progress)
    except TrainingError as error:  # a detector alone serves, too
        crops, missing = None, str(error)
    model_id, state = keep_model(
        engine,
        settings,
        trained,
        crops=crops,
        note="trained by cli train",
        dataset_id=dataset.dataset_id,
        may_serve=not trained.card.blind or bool(request.get("anyway")),
    )
    return {
        "model": model_id,
        "state": str(state),
        "metrics": trained.card.metrics,
        "parameters": trained.card.parameters,
        "held_out_cameras": list(trained.card.folds[0]),
        "second_stage": asdict(trained.card.second_stage) if trained.card.second_stage else None,
        "second_stage_missing": missing,
        "blind": list(trained.card.blind),
        "cautions": list(trained.card.cautions),
        "train_seconds": trained.card.train_seconds,
        "unreadable": [[os.fsdecode(bad.file), bad.text] for bad in trained.unreadable],
        "repaired": [[os.fsdecode(odd.file), odd.text] for odd in trained.repaired],
    }


def training_dataset(session: Session, request: Request, settings: Settings) -> Dataset:
    """Return the data set that `cli train` asked for; with `pseudo` also what the champion is that sure of.

    Raises:
        TrainingError: no champion, so nothing is sure of anything. SnapshotError: nobody said anything yet.
    """
    champion, floor = get_champion(session), request.get("pseudo")
    if floor is None:
        return take_snapshot(session, settings, champion=champion, held_out_share=request.get("held_out_share"))
    if champion is None:
        raise TrainingError(
            "--pseudo: no model serves yet that could be sure of an image; `cli train` makes one, `cli enqueue DIR` "
            "asks it about unlabelled images"
        )
    surer = settings.model_copy(update={"pseudo_confidence": float(floor)})
    return take_snapshot(
        session, surer, champion=champion, pseudo_labels=True, held_out_share=request.get("held_out_share")
    )


def _with_second_stage(
    trained: TrainedDetector,
    samples: Sequence[TrainingSample],
    request: Request,
    settings: Settings,
    engine: Engine,
    progress: StageProgress,
) -> tuple[TrainedDetector, Any]:
    """Return the detector with the card of both stages, and the crop classifier; None where none was asked for."""
    asked = _asked_second_stage(request)
    if asked == NO_SECOND_STAGE:
        return trained, None
    two = add_second_stage(
        trained.evaluated_model,
        trained.card,
        samples,
        settings=crop_settings(trained.card, settings, request, method=CropMethod(asked)),
        features_dir=settings.features_dir,
        work_dir=settings.home / "training",
        false_boxes=false_boxes_held(engine),
        progress=progress,
    )
    return replace(trained, card=two.card), two.crops


def _asked_second_stage(request: Request) -> str:
    return str(request.get("second_stage") or NO_SECOND_STAGE)


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


def _train_settings(request: Request, settings: Settings) -> TrainSettings:
    plain, kind = TrainSettings(), DetectorKind(request.get("kind") or DetectorKind.CENTRE)
    rows, columns = request.get("input_hw") or INPUT_HW[kind]
    weights, blocks = str(request.get("weights") or plain.weights), request.get("fine_tune")
    return TrainSettings(
        kind=kind,
        trunk=str(request.get("trunk") or plain.trunk),
        layer=request.get("layer"),
        input_hw=input_hw_of(kind, (int(rows), int(columns))),
        heads=_heads(request.get("heads") or [str(head) for head in plain.heads]),
        weights=named_weights(weights),
        label_set=settings.label_set,
        held_out_share=float(request.get("held_out_share", plain.held_out_share)),
        final_fit=bool(request.get("final_fit", False)),
        epochs=int(request["epochs"]) if request.get("epochs") else None,
        augment=int(request.get("augment") or 0),
        fine_tune=FineTune(int(blocks), int(request.get("fine_tune_epochs") or FineTune.epochs)) if blocks else None,
        seed=int(request.get("seed", 0)),
        command=str(request.get("command", "")),
    )


def _heads(names: Sequence[str]) -> tuple[HeadName, HeadName]:
    from worker.models.errors import UnknownNetwork

    try:
        box, heatmap = (HeadName(name) for name in names)
    except ValueError:
        raise UnknownNetwork(
            f"heads {','.join(names)}: wanted a box head and a heat-map head of {', '.join(HeadName)}"
        ) from None
    return box, heatmap


if __name__ == "__main__":
    serve_step(train)
