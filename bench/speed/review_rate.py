"""How long a person waits for a review: choosing from a million predictions, writing a folder, bringing it back.

The predictions are rows without heat maps; the images are 10,000 files of noise, of which the commands write, answer
and import folders as people do. `python -m bench.speed.review_rate [sqlite|postgres] [PREDICTIONS] [IMAGES]`.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import Engine, insert, text, update

from bench.speed.site import show_table, thrown_away
from db.domain.species import DEFAULT_LABEL_SET
from db.session import reading, transaction
from db.settings import Settings
from db.store.review_queue import QueueFilter, agreed_predictions, flagged_predictions
from db.tables.images import CameraRow, FolderRow, ImageRow
from db.tables.labels import ImportedLabelRow, LabelBoxRow, LabelImportRow, LabelRow

_MODEL = "noop"
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SMALL = 1_000
_CAMERAS = 100
_IMAGE_HW = (270, 480)  # of noise: 96 kB
_WANTED_S = {"choosing": 10.0, "importing": 60.0}


def main() -> int:
    """Print every wait, in seconds; return 1 where choosing or importing takes longer than is wanted."""
    name, predictions, images = (*sys.argv[1:], *("sqlite", "1000000", "10000")[len(sys.argv) - 1 :])
    with thrown_away(name) as (settings, engine):
        fleet = settings.home / "fleet"
        fill_store(engine, fleet, predictions=int(predictions), images=int(images))
        chosen = list(_choosing(engine))
        commands = list(_commands(settings, images=int(images)))
    rows = [*chosen, *commands]
    title = f"A review of {int(predictions):,} predictions on {name}: seconds, the commands with their start"
    show_table(title, ["what", "seconds"], rows)
    limits = [(seconds, limit) for what, seconds in rows for key, limit in _WANTED_S.items() if what.startswith(key)]
    return int(any(seconds > limit for seconds, limit in limits))


def _choosing(engine: Engine) -> Iterator[tuple[str, float]]:
    every = QueueFilter(model_version=_MODEL, below=0.5)
    rare = QueueFilter(model_version=_MODEL, below=0.5, species="BET")
    camera = QueueFilter(model_version=_MODEL, below=0.5, camera=f"camera {_CAMERAS - 1}")
    choices: dict[str, Callable[..., list[int]]] = {
        "the most doubtful": lambda session: flagged_predictions(session, every, limit=_SMALL),
        "the most doubtful of a species": lambda session: flagged_predictions(session, rare, limit=_SMALL),
        "the most doubtful of a camera": lambda session: flagged_predictions(session, camera, limit=_SMALL),
        "all agreed ones, to draw from": lambda session: list(agreed_predictions(session, every)),
    }
    for what, choose in choices.items():
        with reading(engine) as session:
            started = time.perf_counter()
            found = choose(session)
            yield f"choosing 1,000: {what}", time.perf_counter() - started
        assert found, what


def _commands(settings: Settings, *, images: int) -> Iterator[tuple[str, float]]:
    few, many = settings.home / "few", settings.home / "many"
    count = images - _SMALL
    yield f"writing {_SMALL:,} images, copied", _cli(settings, "export", few, "--count", _SMALL)
    yield (
        f"writing {count:,} images, linked",
        _cli(settings, "export", many, "--count", count, "--images", "hardlink"),
    )
    _cli(settings, "simulate", many)
    yield f"importing {count:,} answers", _cli(settings, "import", many, "--reviewer", "ana")
    yield f"importing {count:,} answers again", _cli(settings, "import", many, "--reviewer", "ana")


def _cli(settings: Settings, command: str, folder: Path, *options: object) -> float:
    """Return how long a command took, its start included; those drawn by chance have no file here."""
    words = [command, str(folder), *map(str, options), *(["--random-share", "0"] if command == "export" else [])]
    environment = {**os.environ, "TAFFRAIL_HOME": str(settings.home), "TAFFRAIL_DATABASE_URL": settings.database}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "cli.main", "review", *words], env=environment, check=True)
    return time.perf_counter() - started


def fill_store(engine: Engine, fleet: Path, *, predictions: int, images: int) -> None:
    """Make the rows; image n is a file for the most doubtful ones, and the labels held say BET of each of these."""
    fleet.mkdir()
    with transaction(engine) as session:
        cameras = [{"id": n + 1, "name": f"camera {n}"} for n in range(_CAMERAS)]
        session.execute(insert(CameraRow), cameras)
        folders = [
            {"id": n + 1, "path": os.fsencode(fleet / f"camera {n}"), "digest": str(n), "camera_id": n + 1}
            for n in range(_CAMERAS)
        ]
        session.execute(insert(FolderRow), folders)
        for statement in _rows(sqlite=engine.dialect.name == "sqlite"):
            session.execute(text(statement), {"count": predictions, "cameras": _CAMERAS, "model": _MODEL})
        session.execute(update(ImageRow), list(_images(fleet, images)))
        fish = {"species": "BET", "x_min": 10.0, "y_min": 10.0, "x_max": 90.0, "y_max": 50.0}
        said = {"species": "BET", "digest": "d", "source": "ncfm", "place": "", "created_at": _NOW}
        session.execute(insert(LabelRow), [{"id": n, "image_id": n, **said} for n in range(1, images + 1)])
        session.execute(insert(LabelBoxRow), [{"label_id": n, **fish} for n in range(1, images + 1)])
        made = {"id": 1, "source": "ncfm", "path": "", "state": "in force", "created_at": _NOW}
        session.execute(insert(LabelImportRow), [made])
        links = [{"import_id": 1, "image_id": n, "label_id": n} for n in range(1, images + 1)]
        session.execute(insert(ImportedLabelRow), links)
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


def _rows(*, sqlite: bool) -> Iterator[str]:
    """Yield the statements that make images, their files, predictions and two detections of each."""
    numbers = (
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count) "
        if sqlite
        else "WITH numbers(n) AS (SELECT generate_series(1, :count)) "
    )
    padded, name = ("printf('%064d', n)", "CAST(n || '.jpg' AS BLOB)")
    if not sqlite:
        padded, name = "lpad(n::text, 64, '0')", "convert_to(n || '.jpg', 'UTF8')"
    listed = ", ".join(f"WHEN {n} THEN '{species}'" for n, species in enumerate(DEFAULT_LABEL_SET.names))
    species = f"CASE n % 8 {listed.replace(', ', ' ')} END"
    yield (
        f"{numbers}INSERT INTO images (id, sha256, width_px, height_px) "
        f"SELECT n, {padded}, {_IMAGE_HW[1]}, {_IMAGE_HW[0]} FROM numbers"
    )
    yield (
        f"{numbers}INSERT INTO files (folder_id, name, size_bytes, mtime_ns, image_id, scan) "
        f"SELECT 1 + n % :cameras, {name}, 100000, n, n, 0 FROM numbers"
    )
    # The error_probability falls with the number, so the images with a file come first.
    yield (
        f"{numbers}INSERT INTO predictions (id, image_id, model_version_id, parameters, species, box_probabilities, "
        "heatmap_probabilities, agreement, iou, species_distance, box_entropy, heatmap_entropy, box_confidence, "
        "heatmap_confidence, fish_count, error_probability, error_fit, infer_ms, created_at) "
        f"SELECT n, n, :model, 'p', {species}, '[]', '[]', n * 1.0 / :count, 0.5, 0.2, 0.3, 0.4, 0.8, 0.7, 1 + n % 3, "
        f"1 - n * 1.0 / :count, 0, 90, '{_NOW:%Y-%m-%d %H:%M:%S}' FROM numbers"
    )
    for head in ("box_species", "heatmap"):
        yield (
            f"{numbers}INSERT INTO detections (prediction_id, head, species, confidence, x_min, y_min, x_max, y_max) "
            f"SELECT n, '{head}', 'ALB', 0.8, 12, 10, 88, 52 FROM numbers"
        )


def _images(fleet: Path, count: int) -> Iterator[dict[str, object]]:
    """Write images that differ in their last bytes; yield what the store knows of each."""
    noise = np.random.default_rng(0).integers(0, 256, (*_IMAGE_HW, 3), dtype=np.uint8)
    drawn = io.BytesIO()
    Image.fromarray(noise).save(drawn, "JPEG", quality=80)
    for number in range(1, count + 1):
        folder = fleet / f"camera {number % _CAMERAS}"
        folder.mkdir(exist_ok=True)
        content = drawn.getvalue() + b"%d" % number
        (folder / f"{number}.jpg").write_bytes(content)
        yield {"id": number, "sha256": hashlib.sha256(content).hexdigest()}


if __name__ == "__main__":
    sys.exit(main())
