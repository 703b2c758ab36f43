"""What the commands of retraining say where nothing can be learnt, nothing is due, or the gate said no."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from db.migrate import open_database
from db.session import transaction
from db.settings import Settings, make_home
from db.store.retrainings import begin_retraining
from db.tables.models import ModelVersionRow
from tests.drawn_fish import draw_fish
from tests.factories import add_noop_champion
from worker.retraining.lease import this_holder

CLI = [sys.executable, "-m", "cli.main"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME with a champion and a candidate that the gate refused, and no label at all."""
    for name in ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings(home=tmp_path / "home")
    monkeypatch.setenv("TAFFRAIL_HOME", str(settings.home))
    make_home(settings.home)
    engine = open_database(f"sqlite:///{settings.home / 'taffrail.db'}")
    add_noop_champion(engine, settings.models_dir)
    add_noop_champion(engine, settings.models_dir, model_id="refused", state="candidate")
    gate = {"champion": "noop", "promoted": False, "objections": ["not surely better"]}
    with transaction(engine) as session:
        refused = session.get_one(ModelVersionRow, "refused")
        refused.card, refused.note = {**refused.card, "gate": gate}, "not surely better; log loss +0.2"
    engine.dispose()
    return settings.home


def test_without_corrections_and_labels_retraining_says_what_brings_them(home: Path) -> None:
    done = _cli("retrain")

    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "cli review import" in done.stderr
    assert "failed" in _cli("schedule", "show").stdout


def test_what_cannot_be_learnt_from_or_compared_with_is_one_line_and_the_champion_stays(
    home: Path, tmp_path: Path
) -> None:
    said = []
    for boats in (1, 2):
        _label_albacore(tmp_path, boats=boats)
        said.append(_cli("retrain"))
    model = home / "models" / "noop" / "model.keras"
    model.write_bytes(b"altered")
    said.append(_cli("retrain"))
    model.unlink()
    said.append(_cli("retrain"))

    wanted = ("images of 1 camera", "show ALB; a retraining needs 2 species", "registered as", "cannot be read")
    for one, words in zip(said, wanted, strict=True):
        assert one.returncode == 2 and one.stderr.count("\n") == 1 and words in one.stderr, one.stderr
    models = json.loads(_cli("models", "list", "--json").stdout)
    assert {one["model"]: one["state"] for one in models} == {"noop": "champion", "refused": "candidate"}


def test_beside_another_one_a_retraining_does_not_begin(home: Path) -> None:
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    with transaction(engine) as session:
        begin_retraining(session, why="by hand", holder=this_holder(), now_s=time.time(), lease_s=600.0)
    engine.dispose()

    done = _cli("retrain")

    assert done.returncode == 1 and f"a retraining runs already, by {this_holder()}" in done.stdout
    assert "running  (by hand)" in _cli("schedule", "show").stdout


def test_nothing_that_is_not_due_is_done(home: Path) -> None:
    done = _cli("retrain", "--if-due", TAFFRAIL_RETRAIN_CRON="0 3 * * *")

    assert done.returncode == 0 and "nothing is due; next at" in done.stdout


def test_a_schedule_that_cannot_be_read_is_one_line(home: Path) -> None:
    done = _cli("schedule", "show", TAFFRAIL_RETRAIN_CRON="every night")

    assert done.returncode == 2
    assert done.stderr.startswith("TAFFRAIL_RETRAIN_CRON: 'every night' has 2 fields; wanted minute hour day")
    assert done.stderr.count("\n") == 1


def test_what_the_gate_refused_serves_only_by_force_and_that_is_kept(home: Path) -> None:
    refused = _cli("models", "promote", "refused")
    forced = _cli("models", "promote", "refused", "--force", "--reason", "we know better")
    back = _cli("models", "rollback")

    assert refused.returncode == 2 and "the gate refused it (not surely better)" in refused.stderr
    assert forced.returncode == 0 and "model refused serves; noop is retired" in forced.stdout
    assert "not surely better" in _cli("models", "show", "refused").stdout
    record = json.loads(_cli("models", "show", "refused", "--json").stdout)["promotions"][-1]
    assert (record["reason"], record["forced"]) == ("we know better", True)
    assert "model noop serves again" in back.stdout


def _label_albacore(folder: Path, *, boats: int) -> None:
    """Import three labelled images of each of so many boats, all of them ALB."""
    records: list[dict[str, object]] = []
    (folder / "labels").mkdir(exist_ok=True)
    for number in range(3 * boats):
        camera = f"boat_{number // 3}"
        (folder / "images" / camera).mkdir(parents=True, exist_ok=True)
        draw_fish(folder / "images" / camera, number, "ALB", camera)
        box = {"class": "rect", "x": 10, "y": 10, "width": 60, "height": 40}
        records.append({"filename": f"{camera}/{number}.png", "class": "image", "annotations": [box]})
    (folder / "labels" / "ALB.json").write_text(json.dumps(records))
    where = ["--images", str(folder / "images"), "--cameras", "folder"]
    done = _cli("labels", "import", str(folder / "labels"), "--format", "ncfm", *where)
    assert done.returncode == 0, done.stdout + done.stderr


def _cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
