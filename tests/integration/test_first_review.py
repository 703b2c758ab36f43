"""The first review: no model yet, so images that differ are chosen from what the trunk sees."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from annotator.labelme.json_files import read_labelme, write_labelme
from cli.review.app import app
from cli.shared.context import opened
from db.errors import NotFoundError
from db.session import reading
from db.settings import get_settings
from db.store.images import places_of, unlabelled_places
from db.store.labels import training_records
from worker.images.look_into import FolderError
from worker.steps.first_features import first_features
from worker.steps.requests import FIRST_FEATURES, FeaturesRequest, FeaturesResult, Step

GREYS = {"boat_a": (10, 11, 12, 13, 250), "boat_b": (14, 15, 240)}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    for name in ("TAFFRAIL_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    get_settings.cache_clear()
    yield tmp_path


@pytest.fixture
def fleet(home: Path) -> Path:
    """Two cameras' images, plain greys, and a file of each that is no image."""
    for camera, greys in GREYS.items():
        (home / "fleet" / camera).mkdir(parents=True)
        for grey in greys:
            Image.new("RGB", (64, 36), (grey, grey, grey)).save(home / "fleet" / camera / f"{grey}.png")
        (home / "fleet" / camera / "torn.jpg").write_bytes(b"\xff\xd8\xff no more")
    return home / "fleet"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the trunk's process was asked; it answers with the images' own colours."""
    asked: list[list[str]] = []

    def colours(step: Step[Any, Any], request: FeaturesRequest, *, progress: Any) -> FeaturesResult:
        assert step is FIRST_FEATURES
        asked.append(list(request.sha256s))
        with reading(opened()[1]) as session:
            places = list(places_of(session, set(request.sha256s)))
        return FeaturesResult(features={one.sha256: tuple(colour(one.file)) for one in places})

    monkeypatch.setattr("worker.steps.step_process.run_step", colours)
    return asked


def colour(file: bytes) -> list[float]:
    grey = float(np.asarray(Image.open(os.fsdecode(file))).mean())
    return [grey, 255.0 - grey]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def names(folder: Path) -> list[str]:
    return sorted(file.stem.split("_")[1] for file in folder.glob("*.png"))


def test_the_first_images_differ_and_come_from_every_camera(fleet: Path, seen: list[list[str]]):
    done = run("export", fleet.parent / "out", "--from", fleet, "--count", 4, "--json", "--seed", 1)

    told = json.loads(done.output)
    assert (done.exit_code, told["images"], len(seen[0])) == (1, 4, 8)
    assert [problem.split(": ")[0] for problem in told["problems"]] == [
        str(fleet / camera / "torn.jpg") for camera in GREYS
    ]
    # Of each boat the bright one and one of the dark ones, which are all alike.
    shown = names(fleet.parent / "out")
    assert {"250", "240"} <= set(shown) and len(shown) == 4


def test_what_a_person_draws_on_them_is_what_a_first_training_learns_from(fleet: Path, seen: list[list[str]]):
    out = fleet.parent / "out"
    run("export", out, "--from", fleet, "--count", 3)
    first, second, _ = sorted(out.glob("0*.json"))
    draw_fish(first)
    flag(second, "no_fish")

    imported = run("import", out, "--reviewer", "ana", "--json")

    assert imported.exit_code == 0
    assert json.loads(imported.output)["outcomes"] == {"corrected": 1, "confirmed empty": 1, "untouched": 1}
    with reading(opened()[1]) as session:
        learnt = Counter(record.label.species for record in training_records(session))
    assert learnt == {"BET": 1, "NoF": 1}


def draw_fish(file: Path) -> None:
    raw = json.loads(file.read_text())
    raw["shapes"] = [{"label": "BET", "points": [[4, 4], [30, 20]], "shape_type": "rectangle", "flags": {}}]
    file.write_text(json.dumps(raw))


def flag(file: Path, name: str) -> None:
    shown = read_labelme(file)
    shown.flags[name] = True  # type: ignore[index]
    write_labelme(file, shown)


def test_the_next_folder_goes_on_with_what_nobody_was_shown(fleet: Path, seen: list[list[str]]):
    for number in (1, 2, 3):
        run("export", fleet.parent / f"out{number}", "--from", fleet, "--count", 3)
    none_left = run("export", fleet.parent / "out4")
    again = run("export", fleet.parent / "out5", "--overlap", "--camera", "boat_b", "--json")

    shown = [names(fleet.parent / f"out{number}") for number in (1, 2, 3)]
    assert [len(part) for part in shown] == [3, 3, 2]
    assert {name for part in shown for name in part} == {str(grey) for greys in GREYS.values() for grey in greys}
    assert isinstance(none_left.exception, NotFoundError) and "--from" in str(none_left.exception)
    assert json.loads(again.output)["images"] == 3


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        pytest.param(["--from", "nowhere"], FolderError, "not a folder", id="no folder"),
        pytest.param(["--species", "ALB"], NotFoundError, "no model yet, so no predictions", id="species"),
        pytest.param(["--below", "0.4"], NotFoundError, "no model yet, so no predictions", id="below"),
        pytest.param(["--open-cases"], NotFoundError, "no model yet, so no predictions", id="open cases"),
    ],
)
def test_what_cannot_be_asked_before_a_model_is_one_clear_error(home: Path, words, error, text):
    done = run("export", home / "out", *words)

    assert isinstance(done.exception, error) and text in str(done.exception)
    assert not (home / "out").exists()


def test_the_trunk_sees_every_image_and_names_what_is_gone(
    fleet: Path, seen: list[list[str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.training.features.compute.build_trunk", three_channels)
    run("export", fleet.parent / "out", "--from", fleet, "--count", 1)
    with reading(opened()[1]) as session:
        places = {os.path.basename(place.file): place for place in unlabelled_places(session, handed_out=True)}
    os.unlink(places[b"250.png"].file)

    found = first_features(
        FeaturesRequest(sha256s=tuple(place.sha256 for place in places.values()), weights="random", input_hw=(36, 64)),
        lambda stage, done, total: None,
    )

    # The mean over the image of what this trunk gives: a tenth of each colour.
    assert found.features[places[b"10.png"].sha256] == pytest.approx([1.0] * 3, abs=0.01)
    assert set(found.features) == {place.sha256 for name, place in places.items() if name != b"250.png"}
    assert [file for file, _ in found.unreadable] == [os.fsdecode(places[b"250.png"].file)]


def three_channels(trunk: str, *, input_hw: tuple[int, int], weights: object, layer: str) -> Any:
    """A trunk without a network: what is kept of its features does not depend on it."""
    from worker.models.keras_import import keras

    image = keras.Input((*input_hw, 3))
    return keras.Model(image, keras.layers.Rescaling(0.1)(image))
