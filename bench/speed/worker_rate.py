"""One worker's stored images a second, file to commit, against the same network called bare on pictures in memory.

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
from sqlalchemy import select

from bench.speed.site import median, show_table
from db.domain.jobs import BatchState
from db.migrate import open_database
from db.session import reading
from db.settings import Settings
from db.store.review_queue import champion_id
from db.tables import BatchRow
from worker.enqueue import enqueue_folder
from worker.image_files import decode_picture
from worker.model_files import load_model_file, model_folder
from worker.tasks import InferWorker
from worker.vision.letterbox import letterbox_picture

_LABELLED, _CAMERAS, _EPOCHS = 120, 6, 4
_ROUNDS, _IMAGES_A_ROUND = 3, 128
_WANTED = 0.9


def main() -> int:
    """Print both rates and their ratio; return 1 where the worker loses more than a tenth."""
    with tempfile.TemporaryDirectory(prefix="taffrail-bench-") as folder:
        settings = Settings(home=Path(folder) / "home")
        _make_model(settings, Path(folder))
        engine = open_database(settings.database)
        with reading(engine) as session:
            champion = champion_id(session)
        assert champion is not None
        model = load_model_file(model_folder(settings.models_dir, champion))
        worker = InferWorker("bench", settings)
        bare, stored = [], []
        for number in range(_ROUNDS + 1):
            pictures = Path(folder) / f"trip{number}" / "images"
            _cli(settings, "sample", str(pictures.parent), "--images", str(_IMAGES_A_ROUND), "--seed", str(90 + number))
            enqueue_folder(engine, settings, os.fsencode(pictures))
            with reading(engine) as session:
                batches = list(session.scalars(select(BatchRow.id).where(BatchRow.state == BatchState.PENDING)))
            bare.append(_bare_rate(model, pictures, settings.network_batch))
            stored.append(_stored_rate(worker, batches))
        worker.close()
    # The first round loads, traces and warms up.
    rates, ratio = (
        (median(bare[1:]), median(stored[1:])),
        median([s / b for s, b in zip(stored[1:], bare[1:], strict=True)]),
    )
    head = ["bare predict_on_batch, images/s", "worker, stored images/s", "ratio", "wanted"]
    show_table(
        f"One worker on {os.cpu_count()} cores, batches of {settings.network_batch}", head, [[*rates, ratio, _WANTED]]
    )
    return int(ratio < _WANTED)


def _make_model(settings: Settings, folder: Path) -> None:
    fleet = str(folder / "fleet")
    _cli(settings, "sample", fleet, "--images", str(_LABELLED), "--cameras", str(_CAMERAS))
    _cli(settings, "labels", "import", f"{fleet}/labels", "--format", "ncfm", "--images", f"{fleet}/images")
    _cli(settings, "train", "--epochs", str(_EPOCHS))


def _cli(settings: Settings, *words: str) -> None:
    environment = {**os.environ, "TAFFRAIL_HOME": str(settings.home)}
    subprocess.run([sys.executable, "-m", "cli.main", *words], env=environment, check=True, stdout=subprocess.DEVNULL)


def _bare_rate(model: Any, pictures: Path, batch: int) -> float:
    input_hw = model.input_shape[1:3]
    files = sorted(pictures.rglob("*.jpg"))[: _IMAGES_A_ROUND // batch * batch]
    decoded = [decode_picture(file.read_bytes(), at_least_hw=input_hw).pixels for file in files]
    ready = np.stack([letterbox_picture(pixels, into_hw=input_hw)[0] for pixels in decoded])
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
