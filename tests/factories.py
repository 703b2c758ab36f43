"""Makes what many tests need: a model that needs no network, images, a HOME."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import Engine, select

from db.domain.boxes import Box
from db.domain.cards import plain_card
from db.domain.jobs import ItemState
from db.domain.model_versions import ModelCard, ModelState
from db.domain.predictions import Agreement, Detection, Head
from db.domain.results import ImageResult, StoredDetection, StoredPrediction
from db.domain.species import DEFAULT_LABEL_SET
from db.session import reading, transaction
from db.settings import Settings
from db.tables.jobs import BatchRow
from db.tables.models import ModelVersionRow
from worker.images.enqueue import enqueue_folder
from worker.inference.detector import NOOP_KIND
from worker.inference.tasks import InferWorker
from worker.storage.model_files import card_to_json, model_folder


def add_noop_champion(
    engine: Engine,
    models_dir: Path,
    *,
    model_id: str = "noop",
    state: str = "champion",
    input_hw: tuple[int, int] = (90, 160),
) -> str:
    """Register a model whose answers depend on a few pixels only; everything around it is the real thing."""
    card = ModelCard(kind=NOOP_KIND, trunk="", layer="", input_hw=input_hw, species=DEFAULT_LABEL_SET.names, heads=())
    folder = model_folder(models_dir, model_id)
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(b"no network")
    sha256 = hashlib.sha256(b"no network").hexdigest()
    (folder / "card.json").write_text(card_to_json(card, sha256=sha256), encoding="utf-8")
    row = ModelVersionRow(
        id=model_id,
        state=ModelState(state),
        sha256=sha256,
        card=plain_card(card),
        note="",
        created_at=datetime.now(UTC),
    )
    with transaction(engine) as session:
        session.add(row)
    return model_id


def write_images(folder: Path, count: int, *, seed: int = 0) -> list[Path]:
    """Write JPEGs that all differ."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    files = [folder / f"{number:04d}.jpg" for number in range(count)]
    for file in files:
        small = Image.fromarray(rng.integers(0, 255, (9, 16, 3), dtype=np.uint8))
        small.resize((320, 180)).save(file, quality=80)
    return files


CARD_OF_SPECIES: dict[str, object] = {"species": list(DEFAULT_LABEL_SET.names)}


def sure_of(species: str) -> list[float]:
    """A distribution on the default label set that is sure of a species."""
    return [0.86 if name == species else 0.02 for name in DEFAULT_LABEL_SET.names]


def image_result(
    path: str = "boat_1/0001.jpg",
    *,
    box: Sequence[float] = (),
    regions: Sequence[tuple[str, float, Sequence[float]]] = (),
    species: str = "ALB",
    **changed: Any,
) -> ImageResult:
    """An image of 640 x 360 with the box head's box and the heat-map head's (species, confidence, box), both sure."""
    found = [Detection(Box(*box), species, 0.9, Head.BOX_SPECIES)] if box else []
    found += [Detection(Box(*place), name, confidence, Head.HEATMAP) for name, confidence, place in regions]
    names = DEFAULT_LABEL_SET.names
    sure = tuple(sure_of(species))
    prediction = StoredPrediction(
        prediction_id=1,
        model_version="m1",
        predicted_at="2024-05-06T07:08:09+00:00",
        species=names,
        box_probabilities=sure,
        heatmap_probabilities=sure,
        detections=tuple(StoredDetection(number, one, None) for number, one in enumerate(found, start=1)),
        agreement=Agreement(0.8, 0.7, 0.1, 0.2, 0.2, 0.86, 0.86, len(regions)),
        error_probability=0.2,
    )
    result = ImageResult(
        item_id=1,
        state=ItemState.DONE,
        path=path,
        relative=os.fsencode(path),
        file=b"/fleet/" + os.fsencode(path),
        camera="boat_1",
        sha256="ab" * 32,
        width_px=640,
        height_px=360,
        captured_at="2024-03-02T01:02:03",
        prediction=prediction,
        reason=None,
        failure=None,
    )
    return replace(result, **changed)


def failed_result(path: str, failure: str = "broken: it ends too soon") -> ImageResult:
    """An image that could not be read."""
    values = {"state": ItemState.FAILED, "prediction": None, "reason": "broken", "failure": failure}
    return image_result(path, width_px=None, height_px=None, sha256=None, captured_at=None, **values)


def finished_job(engine: Engine, home: Path, images: Path) -> Settings:
    """Enqueue a folder and infer it in this process, with the champion that needs no network."""
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(TAFFRAIL_DATABASE_URL=url, home=home, batch_items=4)  # type: ignore[call-arg,arg-type]
    add_noop_champion(engine, settings.models_dir)
    enqueue_folder(engine, settings, os.fsencode(images))
    worker = InferWorker("tester", settings)
    with reading(engine) as session:
        batch_ids = list(session.scalars(select(BatchRow.id).order_by(BatchRow.id)))
    for batch_id in batch_ids:
        worker.infer_batch(batch_id)
    return settings
