"""Labels and corrections leave in every format and come back the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.shared.context import opened
from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.session import reading
from db.settings import get_settings
from db.store.labels import training_records
from tests.answers import store_answers
from tests.factories import write_images

SHARK, DOL = LabelledBox(Box(8, 8, 80, 60), "SHARK", head_px=(10.0, 30.0)), LabelledBox(Box(100, 80, 300, 170), "DOL")


def run(*words: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three images labelled by folder in a HOME, one of which a person corrected."""
    for name in ("TAFFRAIL_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    for seed, species in enumerate(("ALB", "BET", "NoF")):
        (file,) = write_images(tmp_path / "images" / species, 1, seed=seed)
        file.rename(file.with_name(f"{species}.jpg"))
    run("labels", "import", tmp_path / "images", "--format", "folders")
    store_answers(opened()[1], {_hash_of("BET"): ImageLabel("DOL", (SHARK, DOL))})
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("label_format", "name"), [("coco", "out.json"), ("yolo", "out"), ("labelme", "out"), ("ncfm", "out")]
)
def test_labels_that_left_come_back_into_another_home(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label_format: str, name: str
) -> None:
    before = _held()

    unboxed = label_format != "ncfm"  # ALB is known by its folder alone
    words = ("labels", "export", "--format", label_format, "--out", tmp_path / name, "--json")
    told = json.loads(run(*words, code=int(unboxed)))
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "other"))
    get_settings.cache_clear()
    # Elsewhere, and in folders that say no species.
    shutil.copytree(images, tmp_path / "trip", copy_function=lambda one, two: shutil.copy(one, Path(two).parents[1]))
    run("labels", "import", tmp_path / name, "--format", label_format, "--images", tmp_path / "trip")

    assert told["written"] == (2 if unboxed else 3)
    after = _held()
    assert after["BET"].species == "DOL" and after["NoF"].is_empty
    assert _boxes(after["BET"]) == _boxes(before["BET"])


def test_the_table_tells_who_said_it(images: Path, tmp_path: Path) -> None:
    run("labels", "export", "--format", "csv", "--out", tmp_path / "out.csv")

    text = (tmp_path / "out.csv").read_text()
    assert "DOL:1 SHARK:1" in text and ",ana," in text and "a label file" in text


def _hash_of(stem: str) -> str:
    with reading(opened()[1]) as session:
        return next(one.sha256 for one in training_records(session) if Path(one.file.decode()).stem == stem)


def _held() -> dict[str, ImageLabel]:
    with reading(opened()[1]) as session:
        return {Path(one.file.decode()).stem: one.label for one in training_records(session)}


def _boxes(label: ImageLabel) -> set[tuple[str, tuple[int, ...]]]:
    return {(box.species, tuple(map(round, box.box.xyxy))) for box in label.boxes}
