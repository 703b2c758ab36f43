"""What the champion is sure of teaches the next model, where it is asked for: `cli train --pseudo`, `cli retrain`."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.domain.datasets import Dataset, EntryOrigin
from db.migrate import open_database
from db.session import transaction
from tests.drawn_fish import draw_fish
from tests.learning_site import LearningSite
from worker.models.errors import TrainingError
from worker.steps.requests import TrainRequest
from worker.steps.train import training_dataset

CAMERAS = ("camera 0", "camera 1", "camera 2", "camera 3")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LearningSite:
    """Four cameras of six images each, half of them labelled; the model that needs no network is 0.8 sure of any."""
    site = LearningSite(
        open_database(f"sqlite:///{tmp_path / 'taffrail.db'}"), tmp_path / "home", monkeypatch, pseudo_agreement="0"
    )
    samples = []
    for number in range(24):
        folder = tmp_path / "images" / CAMERAS[number % 4]
        folder.mkdir(parents=True, exist_ok=True)
        samples.append(draw_fish(folder, number, ("ALB", "LAG", "NoF")[number % 3], CAMERAS[number % 4]))
    site.label(samples[:12])
    return site


def _dataset(site: LearningSite, floor: float | None) -> Dataset:
    with transaction(site.engine) as session:
        return training_dataset(session, TrainRequest(pseudo=floor), site.settings)


def _guessed(dataset: Dataset) -> list[str]:
    return [entry.place.camera for entry in dataset.entries if entry.origin is EntryOrigin.PSEUDO]


def test_images_that_the_champion_is_sure_of_teach_and_never_evaluate(site: LearningSite, tmp_path: Path) -> None:
    site.register("m1", folds=(("camera 3",),))
    site.infer(tmp_path / "images")

    dataset = _dataset(site, 0.75)

    assert len(dataset.entries) > 12
    assert set(_guessed(dataset)) <= {"camera 0", "camera 1", "camera 2"} and _guessed(dataset)
    assert {entry.weight for entry in dataset.entries if entry.origin is EntryOrigin.PSEUDO} == {0.25}
    assert len({entry.place.sha256 for entry in dataset.entries}) == len(dataset.entries)  # a person's word stands


def test_below_the_floor_nothing_is_believed_and_unasked_nothing_is_guessed(site: LearningSite, tmp_path: Path) -> None:
    site.register("m1", folds=(("camera 3",),))
    site.infer(tmp_path / "images")

    assert _guessed(_dataset(site, 0.9)) == []
    assert _guessed(_dataset(site, None)) == []


def test_without_a_champion_nobody_is_sure(site: LearningSite) -> None:
    with pytest.raises(TrainingError, match="no model serves yet that could be sure"):
        _dataset(site, 0.9)
