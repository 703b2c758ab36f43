"""The main job over real services: `cli worker` on Redis and Postgres does what the embedded default does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from sqlalchemy import select

from db.migrate import open_database
from db.session import reading
from db.settings import Settings, make_home
from db.tables.images import ImageRow
from db.tables.predictions import DetectionRow, PredictionRow
from tests.acceptance.commands import run_cli, start_cli
from tests.conftest import skip_or_fail
from tests.factories import add_noop_champion, write_images

# Each of the tests' parallel processes has a database number of its own, or one would delete another's queue.
_NUMBER = 14 - int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 14
REDIS_URL = f"redis://127.0.0.1:6379/{_NUMBER}"


@pytest.fixture
def broker_url() -> Iterator[str]:
    broker = redis.Redis.from_url(REDIS_URL)
    try:
        broker.ping()
    except redis.RedisError:
        skip_or_fail("no Redis at 127.0.0.1:6379")
    broker.delete("infer", "train")
    yield REDIS_URL
    broker.delete("infer", "train")
    broker.close()


@pytest.fixture
def on_services(tmp_path: Path, postgres_url: str, broker_url: str) -> dict[str, str]:
    return _site(tmp_path / "services", TAFFRAIL_DATABASE_URL=postgres_url, TAFFRAIL_BROKER_URL=broker_url)


def test_a_worker_on_redis_and_postgres_stores_what_the_embedded_default_stores(
    on_services: dict[str, str], tmp_path: Path
) -> None:
    images = tmp_path / "images"
    write_images(images / "cam_1", 30)
    (images / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    embedded = _site(tmp_path / "embedded")

    alone = run_cli("enqueue", str(images), settings=embedded)
    with _worker(on_services, "--queues", "train,infer") as worker:
        queued = run_cli("enqueue", str(images), "--detach", "--json", settings=on_services)
        watched = run_cli("status", "1", "--watch", "--json", settings=on_services)

    assert alone.returncode == 1 and "30 of 31 done" in alone.stdout
    assert json.loads(queued.stdout)["total"] == 31
    assert json.loads(watched.stdout)[0]["state"] == "done with failures"
    assert worker.returncode == 0
    assert worker.stderr is not None and "1 for train, 1 for infer" in worker.stderr.read()
    assert len({row[0] for row in _stored(embedded)}) == 30
    assert _stored(embedded) == _stored(on_services)


def test_a_redis_that_is_down_is_one_line_and_the_queued_work_is_kept(
    on_services: dict[str, str], tmp_path: Path
) -> None:
    write_images(tmp_path / "images", 2)
    down = {**on_services, "TAFFRAIL_BROKER_URL": "redis://:s3cret@127.0.0.1:9/0"}

    worker, enqueue = run_cli("worker", settings=down), run_cli("enqueue", str(tmp_path / "images"), settings=down)
    with _worker(on_services):
        resumed = run_cli("resume", "1", settings=on_services)

    for done in (worker, enqueue):
        assert done.returncode == 2 and done.stderr.strip().count("\n") == 0 and "127.0.0.1:9" in done.stderr
        assert "s3cret" not in done.stdout + done.stderr
    assert resumed.returncode == 0 and "2 of 2 done" in resumed.stdout


def test_a_worker_that_does_not_see_the_folder_says_so_and_stores_nothing_as_missing(
    on_services: dict[str, str], tmp_path: Path
) -> None:
    write_images(tmp_path / "images", 3)
    run_cli("enqueue", str(tmp_path / "images"), "--detach", settings=on_services)
    (tmp_path / "images").rename(tmp_path / "away")

    worker = start_cli("worker", settings=on_services)
    assert worker.stderr is not None
    said = [worker.stderr.readline() for _ in range(2)]
    (tmp_path / "away").rename(tmp_path / "images")
    watched = run_cli("status", "1", "--watch", "--json", settings=on_services)
    _stop(worker)

    assert "is its disk mounted?" in said[1]
    assert json.loads(watched.stdout)[0]["done"] == 3


@contextmanager
def _worker(settings: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    worker = start_cli("worker", *words, settings=settings)
    try:
        yield worker
    finally:
        _stop(worker)


def _stop(worker: subprocess.Popen[str]) -> None:
    worker.send_signal(signal.SIGTERM)
    worker.wait(60)


def _site(folder: Path, **services: str) -> dict[str, str]:
    settings = Settings(home=folder, **services)  # type: ignore[arg-type]
    make_home(settings.home)
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    return {"TAFFRAIL_HOME": str(folder), **services}


def _stored(settings: dict[str, str]) -> list[tuple[object, ...]]:
    """Every prediction with its boxes, by content; ids and timings are a site's own."""
    home = Path(settings["TAFFRAIL_HOME"])
    engine = open_database(settings.get("TAFFRAIL_DATABASE_URL", f"sqlite:///{home / 'taffrail.db'}"))
    query = (
        select(
            ImageRow.sha256,
            PredictionRow.species,
            PredictionRow.agreement,
            PredictionRow.heatmap,
            DetectionRow.head,
            DetectionRow.x_min,
            DetectionRow.y_max,
            DetectionRow.crop_file,
        )
        .join(PredictionRow, PredictionRow.image_id == ImageRow.id)
        .outerjoin(DetectionRow, DetectionRow.prediction_id == PredictionRow.id)
        .order_by(ImageRow.sha256, DetectionRow.crop_file)
    )
    with reading(engine) as session:
        rows = [tuple(row) for row in session.execute(query)]
    engine.dispose()
    assert all(row[-1] is None or (home / str(row[-1])).is_file() for row in rows)
    return rows
