"""What cannot work is one clear line and exit code 2; what was stopped goes on later."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from db.migrate import open_database
from db.session import reading
from db.settings import Settings, make_home
from db.tables.predictions import PredictionRow
from tests.acceptance.commands import run_cli, start_cli
from tests.factories import add_noop_champion, write_images


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    settings = Settings(home=tmp_path / "home")
    make_home(settings.home)
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    return {"TAFFRAIL_HOME": str(settings.home)}


def test_without_a_model_the_way_to_one_is_told(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 1)

    _is_one_line("cli train", "enqueue", str(tmp_path / "images"), settings={"TAFFRAIL_HOME": str(tmp_path / "new")})


def test_a_training_without_labels_is_told(tmp_path: Path) -> None:
    _is_one_line("cli labels import", "train", settings={"TAFFRAIL_HOME": str(tmp_path / "new")})


def test_a_folder_without_images_is_told(site: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "images" / "deep").mkdir(parents=True)

    _is_one_line("no image or video in it", "enqueue", str(tmp_path / "images"), settings=site)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        pytest.param("TAFFRAIL_DATABASE_URL", "mysql://x/y", "wanted sqlite or postgresql", id="another engine"),
        pytest.param("TAFFRAIL_DATABASE_URL", "postgresql://who:s3cret@127.0.0.1:9/x", "refused", id="no server"),
        pytest.param("TAFFRAIL_BROKER_URL", "foo://s3cret@x", "BROKER_URL", id="no broker"),
        pytest.param("TAFFRAIL_BATCH_ITEMS", "many", "TAFFRAIL_BATCH_ITEMS", id="no number"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    site: dict[str, str], tmp_path: Path, name: str, value: str, told: str
) -> None:
    write_images(tmp_path / "images", 1)

    _is_one_line(told, "worker", settings={**site, name: value})


def test_a_database_of_a_newer_version_is_told(site: dict[str, str]) -> None:
    with sqlite3.connect(Path(site["TAFFRAIL_HOME"]) / "taffrail.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    _is_one_line("newer Taffrail", "status", settings=site)


def test_failures_are_summed_up_by_reason(site: dict[str, str], tmp_path: Path) -> None:
    write_images(tmp_path / "images", 2)
    for number in range(3):
        (tmp_path / "images" / f"empty{number}.jpg").touch()
    (tmp_path / "images" / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")

    done = run_cli("enqueue", str(tmp_path / "images"), "--json", settings=site)

    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert (told["reasons"]["empty"], sum(told["reasons"].values())) == (3, 4)
    assert {Path(failure["file"]).name for failure in told["failures"]} >= {"torn.jpg", "empty0.jpg"}
    for_people = run_cli("status", "1", settings=site).stdout
    assert "  3 empty\n" in for_people and "torn.jpg: not an image" in for_people
    (held,) = json.loads(run_cli("status", "1", "--json", settings=site).stdout)
    assert (held["failures"], held["reasons"]) == (told["failures"], told["reasons"])


def test_ctrl_c_leaves_a_job_that_resume_ends(site: dict[str, str], tmp_path: Path) -> None:
    write_images(tmp_path / "images", 240)
    slow = {**site, "TAFFRAIL_FAIL_AT": "inferred=pause:0.5", "TAFFRAIL_BATCH_ITEMS": "2"}
    running = start_cli("enqueue", str(tmp_path / "images"), settings=slow)
    _wait_for_results(site, running)

    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    stopped = json.loads(run_cli("status", "1", "--json", settings=site).stdout)[0]
    resumed = run_cli("resume", "1", settings=site)

    assert running.returncode == 130
    assert "cli resume 1" in said and "Traceback" not in said
    assert stopped["pending"] > 0 and stopped["quarantined"] == 0
    assert resumed.returncode == 0 and "240 of 240 done" in resumed.stdout


def _wait_for_results(site: dict[str, str], running: subprocess.Popen[str]) -> None:
    engine = open_database(Settings(home=Path(site["TAFFRAIL_HOME"])).database)
    while running.poll() is None:
        with reading(engine) as session:
            if session.scalars(select(PredictionRow.id).limit(1)).first() is not None:
                break
        time.sleep(0.05)  # the database has no event to wait for
    engine.dispose()


def _is_one_line(told: str, *words: str, settings: dict[str, str]) -> None:
    done = run_cli(*words, settings=settings)

    assert done.returncode == 2, done.stderr
    assert told in done.stderr and done.stderr.strip().count("\n") == 0
    assert "s3cret" not in done.stderr and "Traceback" not in done.stderr
