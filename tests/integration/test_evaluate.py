"""`cli evaluate`'s step on drawn images: the figures of unseen cameras, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from db.domain.labels import ImageLabel
from db.domain.train_recipe import TrainRecipe
from db.migrate import open_database
from db.progress import StageProgress
from db.session import reading
from db.store.datasets import current_series
from tests.drawn_fish import draw_fleet
from tests.learning_site import LearningSite
from worker.evaluation.write import EvaluationFolderError
from worker.models.errors import ModelError, TrainingError
from worker.steps.evaluate import evaluate as evaluate_step
from worker.steps.requests import EvaluateRequest
from worker.training.data.samples import TrainingSample

PLAIN: dict[str, Any] = {"split": "camera", "input_hw": [64, 96], "heads": ["gap"], "epochs": 2, "folds": 2}


def evaluate(asked: dict[str, Any], progress: StageProgress) -> dict[str, Any]:
    """Return what the command prints of it."""
    return evaluate_step(EvaluateRequest.model_validate(asked), progress).plain()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSample]:
    return draw_fleet(tmp_path_factory.mktemp("fleet"), 48)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LearningSite:
    return LearningSite(open_database(f"sqlite:///{tmp_path / 'taffrail.db'}"), tmp_path / "home", monkeypatch)


def _in_folders(samples: list[TrainingSample], tmp_path: Path) -> list[TrainingSample]:
    """The images, each in the folder of its camera: that is how a site knows cameras."""
    moved = []
    for sample in samples:
        file = tmp_path / "images" / sample.camera / Path(sample.file.decode()).name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(Path(sample.file.decode()).read_bytes())
        moved.append(dataclasses.replace(sample, file=str(file).encode()))
    return moved


def test_every_camera_is_evaluated_once_beside_the_random_figure(
    site: LearningSite, fleet: list[TrainingSample], tmp_path: Path
) -> None:
    site.label(_in_folders(fleet, tmp_path))
    stages = set()
    out = tmp_path / "figures"

    done = evaluate(
        {**PLAIN, "heads": ["gap"], "out": str(out), "images": 4},
        lambda stage, count, total: stages.add(stage),
    )

    names = [one["name"] for one in done["compared_models"]]
    assert names == ["majority", "linear_probe", "gap"]
    assert sorted(name for fold in done["folds"] for name in fold["cameras"]) == [f"camera {n}" for n in range(4)]
    assert done["evaluated"] == done["images"] == 48
    majority, probe, *_ = done["compared_models"]
    assert probe["mean"]["accuracy"] > majority["mean"]["accuracy"] + 0.2
    assert set(done["random"]) == set(names)
    assert {"features", "thumbnails", "by camera fold 2 of 2: gap", "at random fold 1 of 1: gap"} <= stages
    assert done["files"] == ["figures.json", "confusion.png", "reliability.png", "cameras.png", "images.jpg"]
    assert json.loads((out / "figures.json").read_text())["evaluated"] == 48
    with Image.open(out / "images.jpg") as sheet:
        assert sheet.size == (3 * 486, 2 * 300)  # 4 images, 3 in a row; this head has no heat map
    with reading(site.engine) as session:
        assert current_series(session) is None  # nothing is decided by looking


def test_what_cannot_be_evaluated_is_one_line(site: LearningSite, fleet: list[TrainingSample], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cli labels import"):
        evaluate(PLAIN, lambda *_: None)

    one = _in_folders([dataclasses.replace(sample, camera="only") for sample in fleet], tmp_path)
    site.label(one)
    with pytest.raises(TrainingError, match=r"one camera \(only\), so none is unseen"):
        evaluate(PLAIN, lambda *_: None)
    with pytest.raises(TrainingError, match="no image has a capture time"):
        evaluate({**PLAIN, "split": "time"}, lambda *_: None)  # before any network is loaded

    site.label(one, [ImageLabel("NoF") for _ in one])
    with pytest.raises(TrainingError, match="48 images all show NoF"):
        evaluate(PLAIN, lambda *_: None)


@pytest.fixture
def version(site: LearningSite, fleet: list[TrainingSample], tmp_path: Path) -> LearningSite:
    """A champion that needs no network, its labels, and a camera that it has not learnt from."""
    site.label(_in_folders(fleet, tmp_path))
    site.register("m1", folds=(("camera 3",),))
    return site


def test_a_version_is_evaluated_as_it_serves_on_the_cameras_held_out_from_it(
    version: LearningSite, tmp_path: Path
) -> None:
    stages = set()

    done = evaluate(
        {"model": "champion", "out": str(tmp_path / "out"), "images": 2}, lambda stage, *_: stages.add(stage)
    )

    assert (done["model"], done["state"], done["evaluated"], done["evaluated_cameras"]) == ("m1", "champion", 12, 1)
    assert [one["name"] for one in done["compared_models"]] == ["majority", "box_species", "heatmap", "first_stage"]
    assert list(done["compared_models"][-1]["by_camera"]) == ["camera 3"]
    assert done["compared_models"][0]["mean"]["accuracy"] == pytest.approx(1 / 3)
    assert stages == {"evaluation m1"} and (tmp_path / "out" / "images.jpg").exists()


@pytest.mark.parametrize(
    ("card", "told"),
    [
        pytest.param({"folds": ((),)}, "evaluated on images drawn at random", id="random"),
        pytest.param({"folds": (("camera 9",),)}, r"held out from it \(camera 9\)", id="camera gone"),
        pytest.param({"folds": (("camera 3",),), "recipe": TrainRecipe(final_fit=True)}, "--final-fit", id="final fit"),
    ],
)
def test_a_version_without_unseen_images_is_not_evaluated(version: LearningSite, card: dict, told: str) -> None:
    version.register("m2", **card)

    with pytest.raises(ModelError, match=told):
        evaluate({"model": "m2"}, lambda *_: None)


def test_a_folder_that_cannot_be_made_is_told_before_the_work(version: LearningSite, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(EvaluationFolderError, match=r"file/out: cannot be made \(Not a directory\)"):
        evaluate({**PLAIN, "out": str(tmp_path / "file" / "out")}, lambda *_: None)
