"""`cli evaluate`'s step on drawn pictures: the figures of unseen cameras, and what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from db.domain.labels import ImageLabel
from db.migrate import open_database
from db.session import reading
from db.store.datasets import current_series
from tests.drawn_fish import draw_fleet
from tests.learning_site import LearningSite
from worker.evaluate import evaluate
from worker.models.errors import TrainingError
from worker.step_process import Request
from worker.training.samples import TrainingSample

PLAIN: Request = {"input_hw": [64, 96], "heads": ["gap"], "epochs": 2, "folds": 2}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSample]:
    return draw_fleet(tmp_path_factory.mktemp("fleet"), 48)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LearningSite:
    return LearningSite(open_database(f"sqlite:///{tmp_path / 'taffrail.db'}"), tmp_path / "home", monkeypatch)


def _in_folders(samples: list[TrainingSample], tmp_path: Path) -> list[TrainingSample]:
    """The pictures, each in the folder of its camera: that is how a site knows cameras."""
    moved = []
    for sample in samples:
        file = tmp_path / "pictures" / sample.camera / Path(sample.file.decode()).name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(Path(sample.file.decode()).read_bytes())
        moved.append(dataclasses.replace(sample, file=str(file).encode()))
    return moved


def test_every_camera_is_judged_once_beside_the_random_figure(
    site: LearningSite, fleet: list[TrainingSample], tmp_path: Path
) -> None:
    site.label(_in_folders(fleet, tmp_path))
    stages = set()

    done = evaluate(PLAIN, lambda stage, count, total: stages.add(stage))

    names = [one["name"] for one in done["contestants"]]
    assert names == ["majority", "linear_probe", "gap"]
    assert sorted(name for fold in done["folds"] for name in fold["cameras"]) == [f"camera {n}" for n in range(4)]
    assert done["judged"] == done["pictures"] == 48
    majority, probe, _gap = done["contestants"]
    assert probe["mean"]["accuracy"] > majority["mean"]["accuracy"] + 0.2
    assert set(done["random"]) == set(names)
    assert {"features", "thumbnails", "by camera fold 2 of 2: gap", "at random fold 1 of 1: gap"} <= stages
    with reading(site.engine) as session:
        assert current_series(session) is None  # nothing is decided by looking


def test_what_cannot_be_judged_is_one_line(site: LearningSite, fleet: list[TrainingSample], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cli labels import"):
        evaluate(PLAIN, lambda *_: None)

    one = _in_folders([dataclasses.replace(sample, camera="only") for sample in fleet], tmp_path)
    site.label(one)
    with pytest.raises(TrainingError, match=r"one camera \(only\), so none is unseen"):
        evaluate(PLAIN, lambda *_: None)
    with pytest.raises(TrainingError, match="no picture has a capture time"):
        evaluate({**PLAIN, "split": "time"}, lambda *_: None)  # before any network is loaded

    site.label(one, [ImageLabel("NoF") for _ in one])
    with pytest.raises(TrainingError, match="48 pictures all show NoF"):
        evaluate(PLAIN, lambda *_: None)
