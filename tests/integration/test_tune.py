"""How a machine serves a model fastest is tried, kept for this kind of machine and this model, and taken by workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.errors import NotFoundError
from db.migrate import open_database
from db.progress import no_stage_progress
from db.settings import Settings, get_settings
from tests.factories import finished_job, write_images
from worker.inference.pace import decode_threads, keep_pace, paced, read_pace, usual_decode_threads
from worker.models.errors import ModelError
from worker.steps.requests import TuneRequest
from worker.steps.tune import tune


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A HOME with a job of ten images, answered by a model that needs no network."""
    write_images(tmp_path / "images" / "boat_1", 10)
    (tmp_path / "home").mkdir()
    engine = open_database(f"sqlite:///{tmp_path / 'home' / 'taffrail.db'}")
    settings = finished_job(engine, tmp_path / "home", tmp_path / "images")
    engine.dispose()
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TAFFRAIL_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    return settings


def test_every_way_is_tried_and_the_best_is_what_workers_take(site: Settings) -> None:
    crops = sorted((site.home / "crops").rglob("*"))

    done = tune(TuneRequest(model="champion"), no_stage_progress)

    tried = {(one.network_batch, one.decode_threads) for one in done.pace.tried}
    assert {(4, usual_decode_threads()), (8, usual_decode_threads())} <= tried
    assert (done.pace.network_batch, done.pace.decode_threads) in tried and done.pace.images == 10
    assert read_pace(site.home, done.model) == done.pace
    assert decode_threads(site, done.model) == done.pace.decode_threads
    assert sorted((site.home / "crops").rglob("*")) == crops  # what was cut meanwhile is gone


def test_a_batch_that_the_user_set_stays(site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tune(TuneRequest(model="champion"), no_stage_progress).pace
    keep_pace(site.home, "noop", found.model_copy(update={"network_batch": 3}))

    assert paced(get_settings(), "noop").network_batch == 3
    monkeypatch.setenv("TAFFRAIL_NETWORK_BATCH", "5")
    get_settings.cache_clear()
    assert paced(get_settings(), "noop").network_batch == 5
    assert paced(get_settings(), "another").network_batch == 5


def test_a_pace_that_cannot_be_read_is_none(site: Settings) -> None:
    file = keep_pace(site.home, "noop", tune(TuneRequest(model="champion"), no_stage_progress).pace)
    file.write_text('{"machine": "torn')

    assert read_pace(site.home, "noop") is None
    assert decode_threads(site, "noop") == usual_decode_threads()


def test_too_few_images_or_no_such_model_are_one_line(site: Settings, tmp_path: Path) -> None:
    for file in sorted((tmp_path / "images" / "boat_1").iterdir())[:5]:
        file.unlink()

    with pytest.raises(ModelError, match="5 images are held here, wanted at least 8; cli enqueue brings them"):
        tune(TuneRequest(model="champion"), no_stage_progress)
    with pytest.raises(NotFoundError, match="model 'm9': not held"):
        tune(TuneRequest(model="m9"), no_stage_progress)
