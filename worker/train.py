"""Trains a detector from the labels held and registers it: `python -m worker.train`, started by `cli train`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from db.domain.model_versions import ModelState
from db.migrate import open_database
from db.session import reading, transaction
from db.settings import Settings, get_settings
from db.store.labels import TrainingRecord, training_records
from db.store.model_versions import register_model
from db.store.reviews import current_corrections
from worker.artifacts import publish_model
from worker.model_files import card_to_json, save_bundle
from worker.models.errors import TrainingError
from worker.models.names import HeadName
from worker.step_process import Request, StepProgress, serve_step
from worker.training.add_second_stage import add_second_stage
from worker.training.fine_tune import FineTune
from worker.training.samples import TrainingSample
from worker.training.train_crop_classifier import CropMethod, CropTrainSettings
from worker.training.train_detector import TrainedDetector, TrainSettings, train_detector

NO_SECOND_STAGE = "none"
NO_LABELS = "no labelled pictures yet; `cli labels import` brings them in, `cli sample` makes some to try with"


def train(request: Request, progress: StepProgress) -> Request:
    """Return what came of a training: the new version, its state and figures, and the pictures left out."""
    settings = get_settings()
    engine = open_database(settings.database)
    with reading(engine) as session:
        samples = samples_of(training_records(session))
    trained = train_detector(
        samples,
        settings=_train_settings(request, settings),
        features_dir=settings.features_dir,
        progress=progress,
    )
    missing = ""
    try:
        trained, crops = _with_second_stage(trained, samples, request, settings, engine, progress)
    except TrainingError as error:  # a detector alone serves, too
        crops, missing = None, str(error)
    model_id, state = keep_model(engine, settings, trained, crops=crops, note="trained by cli train")
    return {
        "model": model_id,
        "state": str(state),
        "metrics": trained.card.metrics,
        "parameters": trained.card.parameters,
        "held_out_cameras": list(trained.card.folds[0]),
        "second_stage": asdict(trained.card.second_stage) if trained.card.second_stage else None,
        "second_stage_missing": missing,
        "train_seconds": trained.card.train_seconds,
        "unreadable": [[os.fsdecode(bad.file), bad.reason] for bad in trained.unreadable],
        "mended": [[os.fsdecode(odd.file), odd.text] for odd in trained.mended],
    }


def samples_of(records: Sequence[TrainingRecord]) -> list[TrainingSample]:
    """Return what training needs of the records held."""
    return [
        TrainingSample(
            record.file,
            record.sha256,
            record.camera,
            record.label,
            record.width_px,
            record.height_px,
            record.captured_at,
        )
        for record in records
    ]


def _with_second_stage(
    trained: TrainedDetector,
    samples: Sequence[TrainingSample],
    request: Request,
    settings: Settings,
    engine: Engine,
    progress: StepProgress,
) -> tuple[TrainedDetector, Any]:
    """Return the detector with the card of both stages, and the crop classifier; None where none was asked for."""
    asked = str(request.get("second_stage") or NO_SECOND_STAGE)
    if asked == NO_SECOND_STAGE:
        return trained, None
    with reading(engine) as session:
        false_boxes = {sha256: said.removed_boxes for sha256, said in current_corrections(session).items()}
    weights = trained.card.parameters.get("weights", "imagenet")
    two = add_second_stage(
        trained.model,
        trained.card,
        samples,
        settings=CropTrainSettings(
            method=CropMethod(asked),
            trunk=trained.card.trunk,
            weights=str(weights) if weights in ("imagenet", "random") else Path(str(weights)),
            label_set=settings.label_set,
            seed=int(request.get("seed", 0)),
        ),
        features_dir=settings.features_dir,
        work_dir=settings.home / "training",
        false_boxes=false_boxes,
        progress=progress,
    )
    return replace(trained, card=two.card), two.crops


def keep_model(
    engine: Engine, settings: Settings, trained: TrainedDetector, *, note: str, crops: Any = None
) -> tuple[str, ModelState]:
    """Return the id and state of a trained model, its files saved first: a row never names a file that is not there.

    crops: the second stage's Keras model, None where the card speaks of none.
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
            card=_plain(trained),
            note=note,
        )
    return model_id, state


def new_model_id() -> str:
    """Return an id that sorts by time and is safe as a folder's name."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _plain(trained: TrainedDetector) -> dict[str, Any]:
    import json

    card: dict[str, Any] = json.loads(card_to_json(trained.card, sha256=""))
    del card["sha256"]  # the row's own column is the authority
    return card


def _train_settings(request: Request, settings: Settings) -> TrainSettings:
    plain = TrainSettings()
    rows, columns = request.get("input_hw") or plain.input_hw
    weights, blocks = str(request.get("weights") or plain.weights), request.get("fine_tune")
    return TrainSettings(
        trunk=str(request.get("trunk") or plain.trunk),
        layer=request.get("layer"),
        input_hw=(int(rows), int(columns)),
        heads=_heads(request.get("heads") or [str(head) for head in plain.heads]),
        weights=weights if weights in ("imagenet", "random") else Path(weights),
        label_set=settings.label_set,
        held_out_share=float(request.get("held_out_share", plain.held_out_share)),
        held_out=tuple(request.get("held_out", ())),
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
