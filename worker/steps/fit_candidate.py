"""Trains a candidate on a stored data set, in a process of its own: `python -m worker.steps.fit_candidate`."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Engine

from db.domain.datasets import Dataset
from db.domain.model_versions import ModelCard
from db.migrate import open_database
from db.progress import StageProgress
from db.session import reading
from db.settings import Settings, get_settings
from db.store.datasets import get_dataset
from db.store.model_versions import ModelVersion, get_model
from worker.models.errors import TrainingError
from worker.models.names import DetectorKind, HeadName
from worker.models.trunks import named_weights
from worker.steps.step_process import Request, serve_step
from worker.storage.model_files import HeldModel, check_model_file, load_model_file, read_card, save_bundle
from worker.training.crops.add_second_stage import TwoStages, add_second_stage
from worker.training.crops.held import NO_SECOND_STAGE, SECOND_STAGE, crop_settings, false_boxes_held
from worker.training.crops.settings import CropMethod, CropTrainSettings
from worker.training.data.snapshot import training_samples
from worker.training.detector.fine_tune import FineTune
from worker.training.detector.settings import TrainSettings
from worker.training.detector.train_detector import train_detector
from worker.training.detector.trained import TrainedDetector


class Parts(StrEnum):
    """What of the parent is trained anew; the rest is taken over as it is."""

    HEADS = "heads"
    CROPS = "crops"
    BOTH = "both"


def fit_candidate(request: Request, progress: StageProgress) -> Request:
    """Train like the parent on a data set and save the bundle, not yet registered; return its hashes.

    request: dataset, parent and model (ids), into (the folder for the model's own folder), seed, epochs, command; where
    not the parent's way, parts, and of the crop classifier second_stage, balance, by_sampling. The result names the
    images that training went on without, and why there is no second stage (or '').
    Raises:
        TrainingError: the parent is no detector, or too little can be read. ModelFileError: it cannot be saved.
    """
    settings = get_settings()
    engine = open_database(settings.database)
    parent = read_card(settings.models_dir, request["parent"])
    if parent.kind not in list(DetectorKind):
        wanted = " or ".join(DetectorKind)
        raise TrainingError(f"model {request['parent']}: is a {parent.kind}, wanted a {wanted} to train like")
    with reading(engine) as session:
        dataset = get_dataset(session, int(request["dataset"]))
        held = get_model(session, request["parent"])
    parts, method = way_of(request, parent)
    first = _detector(request, parent, held, dataset, settings, progress, anew=parts is not Parts.CROPS)
    card, crops, missing = first.card, None, ""
    if parts is not Parts.HEADS:
        try:
            how = crop_settings(first.card, settings, _crop_wishes(request, parent), method=CropMethod(method))
            two = _second_stage(first, dataset, how, settings, engine, progress)
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
    told: dict[str, object] = {"dataset": dataset.dataset_id, "parts": str(parts), SECOND_STAGE: method}
    parameters = {**card.parameters, **told}
    card = replace(card, dataset_sha256=dataset.sha256, parameters=parameters)
    model = HeldModel(held.model_id, held.sha256) if parts is Parts.CROPS else first.model
    hashes = save_bundle(
        Path(request["into"]), request["model"], model, card, crops=crops, held_dir=settings.models_dir
    )
    unreadable = [[os.fsdecode(bad.file), bad.text] for bad in first.unreadable]
    return {**asdict(hashes), "unreadable": unreadable, "second_stage_missing": missing}


def _detector(
    request: Request,
    parent: ModelCard,
    held: ModelVersion,
    dataset: Dataset,
    settings: Settings,
    progress: StageProgress,
    *,
    anew: bool,
) -> TrainedDetector:
    """Return the first stage: trained anew, or the parent's with a card of its own."""
    if anew:
        return train_detector(
            training_samples(dataset.entries),
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
        command=str(request.get("command", "")),
        second_stage=None,
        train_seconds=0.0,
    )
    return TrainedDetector(load_model_file(folder), card, ())


def _evaluated_alike(parent: ModelCard, dataset: Dataset) -> bool:
    """Whether the parent's figures are of the cameras that evaluate now; a new card must not tell them otherwise."""
    return parent.folds == (dataset.held_out_cameras,)


def way_of(request: Request, parent: ModelCard) -> tuple[Parts, str]:
    """Return what is trained anew, and how a second stage is made, `none` where none is.

    Both are the parent's where nothing else is asked for: who trained a detector alone gets none by surprise.
    """
    if parent.second_stage is not None:
        told = parent.second_stage.method
    else:
        told = str(parent.parameters.get(SECOND_STAGE, CropMethod.FINETUNE))
    method = str(request.get("second_stage") or told)
    parts = Parts(request.get("parts") or (Parts.HEADS if method == NO_SECOND_STAGE else Parts.BOTH))
    if parts is not Parts.HEADS and method == NO_SECOND_STAGE:
        method = str(CropMethod.FINETUNE)
    return parts, method


def _second_stage(
    first: TrainedDetector,
    dataset: Dataset,
    how: CropTrainSettings,
    settings: Settings,
    engine: Engine,
    progress: StageProgress,
) -> TwoStages:
    return add_second_stage(
        first.evaluated_model,
        first.card,
        training_samples(dataset.entries),
        settings=how,
        features_dir=settings.features_dir,
        work_dir=settings.home / "training",
        false_boxes=false_boxes_held(engine),
        progress=progress,
    )


def _crop_wishes(request: Request, parent: ModelCard) -> Request:
    """Return seed, balance and by_sampling as asked for; of the rest the parent's way is gone on with."""
    told = parent.second_stage.parameters if parent.second_stage is not None else {}
    asked = {name: request[name] for name in ("balance", "by_sampling") if request.get(name) is not None}
    return {**told, **asked, "seed": request.get("seed", 0)}


def _like_parent(request: Request, parent: ModelCard, dataset: Dataset, settings: Settings) -> TrainSettings:
    """Return the parent's networks and input; only what they learn from differs."""
    weights = str(parent.parameters.get("weights", "imagenet"))
    box_head, heatmap_head = (HeadName(name) for name in parent.heads)
    return TrainSettings(
        kind=DetectorKind(parent.kind),
        trunk=parent.trunk,
        layer=parent.layer,
        input_hw=parent.input_hw,
        heads=(box_head, heatmap_head),
        weights=named_weights(weights),
        label_set=settings.label_set,
        held_out=dataset.held_out_cameras,
        epochs=int(request["epochs"]) if request.get("epochs") else None,
        augment=int(str(parent.parameters.get("augment", 0))),
        fine_tune=_tuned_like(parent),
        seed=int(request.get("seed", 0)),
        parent=request["parent"],
        command=str(request.get("command", "")),
    )


def _tuned_like(parent: ModelCard) -> FineTune | None:
    told = parent.parameters.get("fine_tune")
    return FineTune(int(told["blocks"]), int(told.get("epochs", FineTune.epochs))) if isinstance(told, dict) else None


if __name__ == "__main__":
    serve_step(fit_candidate)
