"""`cli results` from a real job: files that are read back, and words for what is wrong."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from db.migrate import open_database
from db.settings import make_home
from tests.factories import finished_job, write_images


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A HOME with a finished job: three images and a file that is none."""
    home = make_home(tmp_path / "home")
    write_images(tmp_path / "images" / "größe", 3)
    (tmp_path / "images" / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    finished_job(engine, home, tmp_path / "images")
    engine.dispose()
    return home


def test_a_table_of_every_image_failed_ones_too(home: Path, tmp_path: Path) -> None:
    done = _results(home, "1", "--format", "csv", "--out", str(tmp_path / "r.csv"))

    assert done.returncode == 0 and "4 of 4 images (3 done, 1 failed)" in done.stdout
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["file"] for row in rows)[0] == "größe/0000.jpg"
    assert [row["failure"][:12] for row in rows if row["state"] == "failed"] == ["not an image"]


def test_a_format_without_a_place_for_failures_says_so_and_ends_with_1(home: Path, tmp_path: Path) -> None:
    done = _results(home, "1", "--format", "kaggle", "--out", str(tmp_path / "k.csv"), "--json")

    assert done.returncode == 1
    assert json.loads(done.stdout)["left_out"] == 1
    assert len((tmp_path / "k.csv").read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("9", "--format", "csv", "--out", "r.csv"), "job 9: there is no such job"),
        (("1", "--format", "csv", "--out", "no/such/r.csv"), "cannot be written"),
        (("1", "--format", "xml", "--out", "r.xml"), "'megadetector'"),
    ],
    ids=["job", "place", "format"],
)
def test_bad_use_is_one_line_and_exit_code_2(home: Path, arguments: tuple[str, ...], said: str) -> None:
    done = _results(home, *arguments)

    assert done.returncode == 2
    assert said in " ".join(done.stderr.split()) and "Traceback" not in done.stderr


def _results(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    services = ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL")
    environment = {name: value for name, value in os.environ.items() if name not in services}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "results", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**environment, "TAFFRAIL_HOME": str(home), "COLUMNS": "300"},
    )
