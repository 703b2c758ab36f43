"""Crops and models of several machines in one store: a real S3 protocol server on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from db.domain.retrainings import RetrainingState
from db.migrate import open_database
from db.settings import Settings, make_home
from tests.drawn_fish import draw_fish
from tests.factories import add_noop_champion, write_images
from tests.learning_site import FakeSteps, LearningSite
from worker.images.errors import StoreUnreachable
from worker.images.read import read_image_file
from worker.retraining.retrain import RetrainOutcome, RetrainRequest, retrain
from worker.storage.artifacts import bring_model, publish_model, put_artifact
from worker.storage.model_files import check_model_file

STORE = "s3://site/taffrail"


@pytest.fixture
def store(s3: str) -> object:
    import boto3

    client = boto3.client("s3", endpoint_url=s3)
    client.create_bucket(Bucket="site")
    return client


def test_a_machine_with_an_empty_home_serves_a_model_that_another_one_trained(store: object, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    trainer = Settings(home=make_home(tmp_path / "trainer"), artifacts=STORE)
    engine = open_database(database)
    add_noop_champion(engine, trainer.models_dir)
    engine.dispose()
    publish_model(trainer, "noop")
    write_images(tmp_path / "images", 5)

    done = _cli("enqueue", str(tmp_path / "images"), home=tmp_path / "server", database=database)
    shutil.rmtree(tmp_path / "images")  # the report has only what was kept of them
    report = _cli("report", "1", "--out", str(tmp_path / "report"), home=tmp_path / "office", database=database)

    assert done.returncode == 0 and "5 of 5 done" in done.stdout, done.stderr
    assert not (tmp_path / "server" / "crops").exists()
    assert report.returncode == 1 and "5 images cannot be read here any more" in report.stderr
    assert list((tmp_path / "report" / "images").glob("*-0.jpg"))  # a crop that came from the store


def test_a_model_that_was_altered_in_the_store_is_refused_where_it_is_brought(store: object, tmp_path: Path) -> None:
    trainer = Settings(home=make_home(tmp_path / "trainer"), artifacts=STORE)
    engine = open_database(f"sqlite:///{tmp_path / 'shared.db'}")
    add_noop_champion(engine, trainer.models_dir, model_id="altered")
    engine.dispose()
    publish_model(trainer, "altered")
    put_artifact(trainer, "models/altered/model.keras", b"something else")
    server = Settings(home=make_home(tmp_path / "server"), artifacts=STORE)

    bring_model(server, "altered")

    with pytest.raises(Exception, match="refused"):
        check_model_file(server.models_dir, "altered", "0" * 64)


def test_a_retraining_brings_the_champion_and_every_machine_can_change_to_what_it_made(
    store: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    site = LearningSite(
        open_database(database), tmp_path / "trainer", monkeypatch, artifacts=STORE, held_out_share="0.4"
    )
    _draw_labelled(site, tmp_path / "fleet")
    add_noop_champion(site.engine, site.settings.models_dir)
    publish_model(site.settings, "noop")
    shutil.rmtree(site.settings.models_dir)

    done = retrain(
        site.engine,
        site.settings,
        RetrainRequest(),
        progress=lambda *_: None,
        steps=FakeSteps(site.settings, site.engine),
    )
    site.engine.dispose()

    assert isinstance(done, RetrainOutcome) and done.kept is not None and done.state is RetrainingState.PROMOTED, done
    models = tmp_path / "office" / "models"
    back = _cli("models", "rollback", home=tmp_path / "office", database=database)
    assert back.returncode == 0 and os.listdir(models) == ["noop"], back.stderr
    again = _cli("models", "promote", done.kept.model_id, home=tmp_path / "office", database=database)
    assert again.returncode == 0 and sorted(os.listdir(models)) == sorted(["noop", done.kept.model_id]), again.stderr


def test_a_model_whose_files_are_nowhere_is_not_promoted(
    store: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    trainer = Settings(home=make_home(tmp_path / "trainer"), artifacts=STORE)
    engine = open_database(database)
    add_noop_champion(engine, trainer.models_dir, model_id="lost", state="candidate")
    engine.dispose()

    done = _cli("models", "promote", "lost", home=tmp_path / "office", database=database)

    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "lost" in done.stderr
    assert _cli("models", "list", home=tmp_path / "office", database=database).stdout.count("champion") == 0


def test_what_is_put_is_read_again_and_a_store_that_is_away_is_told(
    store: object, s3_server: object, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, artifacts=STORE)
    put_artifact(settings, "crops/ab/ab-0.jpg", b"bytes")
    assert read_image_file(f"{STORE}/crops/ab/ab-0.jpg".encode()).content == b"bytes"

    s3_server.stop()  # type: ignore[attr-defined]

    with pytest.raises(StoreUnreachable):
        put_artifact(settings, "crops/ab/ab-1.jpg", b"bytes")


def _draw_labelled(site: LearningSite, folder: Path) -> None:
    for camera in range(5):
        (folder / f"boat_{camera}").mkdir(parents=True)
    kinds = ("ALB", "LAG", "NoF")
    site.label(
        [
            draw_fish(folder / f"boat_{number % 5}", number, kinds[number // 5 % 3], f"boat_{number % 5}")
            for number in range(40)
        ]
    )


def _cli(*arguments: str, home: Path, database: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TAFFRAIL_HOME": str(home), "DATABASE_URL": database, "TAFFRAIL_ARTIFACTS": STORE}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments], env=environment, capture_output=True, text=True, check=False
    )
