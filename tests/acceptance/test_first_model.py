"""From nothing to a model that serves, through the command line: sample, labels import, train, enqueue, models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLI = [sys.executable, "-m", "cli.main"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet of 24 small images of 3 cameras, drawn once."""
    folder = tmp_path_factory.mktemp("sample") / "fleet"
    done = _cli(folder.parent, "sample", str(folder), "--images", "24", "--cameras", "3", "--scale", "0.2")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_newcomers_first_model_serves(fleet: Path, home: Path) -> None:
    labels = _cli(
        home, "labels", "import", str(fleet / "labels"), "--format", "ncfm", "--images", str(fleet / "images")
    )
    assert labels.returncode == 0, labels.stderr
    assert "24 images with" in labels.stdout and "24 labels are new" in labels.stdout

    quick = ["--size", "96x160", "--epochs", "1", "--weights", "random", "--second-stage", "frozen", "--anyway"]
    trained = _cli(home, "train", *quick, "--json")
    assert trained.returncode == 0, trained.stderr
    model = json.loads(trained.stdout)
    assert model["state"] == "champion" and 0.0 <= model["metrics"]["accuracy"] <= 1.0

    sheet, image = home / "maps.png", next((fleet / "images").rglob("*.jpg"))
    looked = _cli(home, "models", "look", model["model"], str(image), "--out", str(sheet))
    assert looked.returncode == 0, looked.stderr
    assert "hires_maps: 8 channels of 6 x 10 cells, 8 of them" in looked.stdout and sheet.stat().st_size > 0

    inferred = _cli(home, "enqueue", str(fleet / "images"))
    assert inferred.returncode == 0, inferred.stderr
    assert "24 of 24 done" in inferred.stdout

    listed = json.loads(_cli(home, "models", "list", "--json").stdout)
    assert [(one["model"], one["state"]) for one in listed] == [(model["model"], "champion")]
    shown = _cli(home, "models", "show", model["model"])
    assert "efficientnet_lite0 at 96x160" in shown.stdout and "the first model" in shown.stdout


def test_without_labels_there_is_one_line_that_says_what_to_do(home: Path) -> None:
    done = _cli(home, "train", "--weights", "random")

    assert done.returncode == 2
    assert "cli labels import" in done.stderr and "Traceback" not in done.stderr


def test_a_sample_never_overwrites(fleet: Path, home: Path) -> None:
    done = _cli(home, "sample", str(fleet), "--images", "2")

    assert done.returncode == 2 and "not empty" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("models", "promote", "m9"), "cli models list"),
        (("models", "show", "../etc"), "cli models list"),
        (("models", "rollback"), "no champion"),
        (("labels", "import", "/no/such", "--format", "coco", "--images", "/tmp"), "no such file"),
        (("train", "--size", "big"), "wanted rows x columns"),
        (("train", "--heads", "box_species"), "wanted a box head and a heat-map head"),
    ],
    ids=["promote", "show", "rollback", "labels", "size", "heads"],
)
def test_bad_use_is_one_line_and_exit_code_2(home: Path, arguments: tuple[str, ...], said: str) -> None:
    done = _cli(home, *arguments)

    assert done.returncode == 2
    assert said in " ".join(done.stderr.split()) and "Traceback" not in done.stderr


def _cli(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    services = ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL")
    environment = {name: value for name, value in os.environ.items() if name not in services}
    return subprocess.run(
        [*CLI, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**environment, "TAFFRAIL_HOME": str(home), "COLUMNS": "200"},
    )
