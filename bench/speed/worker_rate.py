"""One worker's stored images a second, file to commit, against the same network called bare on images in memory.

Trains a small model on a drawn fleet first (two minutes), so that heat maps, boxes and crops are those of a real model.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, select

from bench.speed.site import median, show_table
from db.domain.jobs import BatchState
from db.migrate import open_database
from db.session import reading
from db.settings import Settings
from db.store.model_versions import champion_id
from db.tables.jobs import BatchRow
from worker.images.decode import decode_image
from worker.images.enqueue import enqueue_folder
from worker.inference.detector import make_detector
from worker.inference.infer import DetectorInference, Inference
from worker.inference.tasks import InferWorker
from worker.storage.model_files import BundleHashes, check_model_file, load_model_file, model_folder, read_card
from worker.vision.letterbox import letterbox_image

_LABELLED, _CAMERAS, _EPOCHS = 80, 6, 3
_ROUNDS, _IMAGES_A_ROUND = 3, 64
_WANTED = 0.9


def main() -> int:
    """Print the rates and their ratios; return 1 where the worker without a second stage loses more than a tenth."""
    with tempfile.TemporaryDirectory(prefix="taffrail-bench-") as folder:
        settings = Settings(home=Path(folder) / "home")
        _make_model(settings, Path(folder))
        engine = open_database(settings.database)
        with reading(engine) as session:
            champion = champion_id(session)
        assert champion is not None
        model = load_model_file(model_folder(settings.models_dir, champion))
        workers = [
            InferWorker("one-stage", settings, load=_load_one_stage),
            InferWorker("two-stages", settings),
        ]
        bare_images, rounds = _drawn(settings, Path(folder) / "bare", seed=99), []
        for number in range(_ROUNDS + 1):
            bare = _bare_rate(model, bare_images, settings.network_batch)
            stored = []
            for worker_number, worker in enumerate(workers):
                images = _drawn(
                    settings, Path(folder) / f"trip{number}-{worker_number}", seed=10 * number + worker_number
                )
                stored.append(_stored_rate(worker, _enqueued(engine, settings, images)))
            rounds.append((bare, *stored))
        for worker in workers:
            worker.close()
    timed = rounds[1:]  # the first round loads, traces and warms up
    rates = [median(column) for column in zip(*timed, strict=True)]
    ratios = [median([one[place] / one[0] for one in timed]) for place in (1, 2)]
    show_table(
        f"One worker on {os.cpu_count()} cores, network calls of {settings.network_batch} images",
        ["what", "images/s", "of bare", "wanted"],
        [
            ("bare predict_on_batch", rates[0], 1.0, ""),
            ("worker, one stage", rates[1], ratios[0], _WANTED),
            ("worker, two stages", rates[2], ratios[1], ""),
        ],
    )
    return int(ratios[0] < _WANTED)


def _load_one_stage(settings: Settings, model_version: str, hashes: BundleHashes) -> Inference:
    """The same model version without its crop classifier."""
    card = read_card(settings.models_dir, model_version)
    path = check_model_file(settings.models_dir, model_version, hashes.sha256, hashes.crops_sha256)
    detector = make_detector(card, path, batch_size=settings.network_batch)
    detector.warm_up()
    return DetectorInference(detector, model_version=model_version, settings=settings)


def _drawn(settings: Settings, fleet: Path, *, seed: int) -> Path:
    _cli(settings, "sample", str(fleet), "--images", str(_IMAGES_A_ROUND), "--seed", str(100 + seed))
    return fleet / "images"


def _enqueued(engine: Engine, settings: Settings, images: Path) -> list[int]:
    enqueue_folder(engine, settings, os.fsencode(images))
    with reading(engine) as session:
        return list(session.scalars(select(BatchRow.id).where(BatchRow.state == BatchState.PENDING)))


def _make_model(settings: Settings, folder: Path) -> None:
    fleet = str(folder / "fleet")
    _cli(settings, "sample", fleet, "--images", str(_LABELLED), "--cameras", str(_CAMERAS))
    _cli(settings, "labels", "import", f"{fleet}/labels", "--format", "ncfm", "--images", f"{fleet}/images")
    _cli(settings, "train", "--epochs", str(_EPOCHS))


def _cli(settings: Settings, *words: str) -> None:
    environment = {**os.environ, "TAFFRAIL_HOME": str(settings.home)}
    subprocess.run([sys.executable, "-m", "cli.main", *words], env=environment, check=True, stdout=subprocess.DEVNULL)


def _bare_rate(model: Any, images: Path, batch: int) -> float:
    input_hw = model.input_shape[1:3]
    files = sorted(images.rglob("*.jpg"))[: _IMAGES_A_ROUND // batch * batch]
    decoded = [decode_image(file.read_bytes(), at_least_hw=input_hw).pixels for file in files]
    ready = np.stack([letterbox_image(pixels, into_hw=input_hw)[0] for pixels in decoded])
    model.predict_on_batch(ready[:batch])
    started = time.perf_counter()
    for start in range(0, len(ready), batch):
        model.predict_on_batch(ready[start : start + batch])
    return len(ready) / (time.perf_counter() - started)


def _stored_rate(worker: InferWorker, batches: list[int]) -> float:
    started = time.perf_counter()
    for batch_id in batches:
        worker.take_batch(batch_id)
    worker.drain()
    return _IMAGES_A_ROUND / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(main())
