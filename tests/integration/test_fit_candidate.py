"""A candidate is trained the way the champion was, but for what a person asks otherwise."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from db.domain.cards import plain_card
from db.domain.model_versions import ModelCard, SecondStage
from db.domain.train_choices import Balance, CropMethod, Parts, SecondStageChoice
from db.domain.train_recipe import CropRecipe, TrainRecipe, TunedBlocks
from db.migrate import open_database
from db.session import reading, transaction
from db.store.model_versions import get_champion, get_model, register_model
from tests.drawn_fish import LABELS, draw_fish
from tests.learning_site import LearningSite
from worker.models.errors import TrainingError
from worker.models.names import HeadName
from worker.steps.fit_candidate import fit_candidate, way_of
from worker.steps.requests import FitRequest
from worker.storage.model_files import BundleHashes, save_bundle, write_card
from worker.training.crops.settings import CropTrainSettings
from worker.training.data.snapshot import take_snapshot
from worker.training.detector.card import DETECTOR_KIND
from worker.training.detector.fine_tune import FineTune
from worker.training.detector.settings import TrainSettings
from worker.training.detector.train_detector import TrainedDetector

SECOND = SecondStage(
    "efficientnet_lite0",
    144,
    0.1,
    LABELS.names,
    "finetune",
    1,
    1.0,
    (0.0,) * 4,
    0.5,
    recipe=CropRecipe(balance=Balance.FULL),
)
CARD = ModelCard(
    DETECTOR_KIND,
    "efficientnet_lite0",
    "layer",
    (90, 160),
    LABELS.names,
    ("box_species", "heatmap_max"),
    recipe=TrainRecipe(weights="random", augment=3, fine_tune=TunedBlocks(blocks=2, epochs=4)),
    metrics={"box_ap50": 0.5},
    folds=(("boat_1",),),
    second_stage=SECOND,
)


class Untrained:
    """Both trainings without a network: they keep what they were asked."""

    def __init__(self) -> None:
        self.detector = TrainSettings()
        self.crops = CropTrainSettings()
        self.card = CARD

    def train_detector(self, samples: object, *, settings: TrainSettings, **_: object) -> TrainedDetector:
        self.detector = settings
        return TrainedDetector(None, dataclasses.replace(CARD, second_stage=None), ())

    def add_second_stage(
        self, _: object, card: ModelCard, *__: object, settings: CropTrainSettings, **___: object
    ) -> None:
        self.card, self.crops = card, settings
        raise TrainingError("asked enough")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LearningSite:
    site = LearningSite(open_database(f"sqlite:///{tmp_path / 'taffrail.db'}"), tmp_path / "home", monkeypatch)
    for number in range(4):
        (tmp_path / f"fleet/boat_{number}").mkdir(parents=True)
    site.label([draw_fish(tmp_path / f"fleet/boat_{number}", number, "ALB", f"boat_{number}") for number in range(4)])
    hashes = save_bundle(site.settings.models_dir, "champion", None, CARD, crops=_Crops())
    with transaction(site.engine) as session:
        register_model(session, "champion", sha256=hashes.sha256, card=plain_card(CARD), note="a test")
    return site


@pytest.mark.parametrize(
    ("asked", "crops"),
    [
        ({}, (CropMethod.FINETUNE, Balance.FULL, False)),
        ({"second_stage": "frozen", "balance": "none"}, (CropMethod.FROZEN, Balance.NONE, False)),
        ({"by_sampling": True}, (CropMethod.FINETUNE, Balance.FULL, True)),
    ],
    ids=["as the champion", "another way", "by sampling"],
)
def test_networks_input_and_method_are_the_champions_unless_asked_otherwise(
    site: LearningSite,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, object],
    crops: tuple[CropMethod, Balance, bool],
) -> None:
    untrained = Untrained()
    monkeypatch.setattr("worker.steps.fit_candidate.train_detector", untrained.train_detector)
    monkeypatch.setattr("worker.steps.fit_candidate.add_second_stage", untrained.add_second_stage)

    fit_candidate(_request(site, **asked), lambda *_: None)

    told = untrained.detector
    assert (told.trunk, told.layer, told.input_hw, told.weights) == (CARD.trunk, CARD.layer, (90, 160), "random")
    assert told.heads == (HeadName.BOX_SPECIES, HeadName.HEATMAP_MAX)
    assert (told.augment, told.fine_tune, told.parent) == (3, FineTune(2, 4), "champion")
    assert (untrained.crops.method, untrained.crops.balance, untrained.crops.by_sampling) == crops


@pytest.mark.parametrize(
    ("champions", "asked", "wanted"),
    [
        ("none", {}, (Parts.HEADS, "none")),
        ("none", {"parts": "crops"}, (Parts.CROPS, "finetune")),
        ("none", {"second_stage": "frozen"}, (Parts.BOTH, "frozen")),
        ("frozen", {}, (Parts.BOTH, "frozen")),  # it was asked for and could not be made: too few crops, then
        ("frozen", {"parts": "heads"}, (Parts.HEADS, "frozen")),
    ],
)
def test_who_trained_a_detector_alone_gets_no_second_stage_by_surprise(
    champions: str, asked: dict[str, object], wanted: tuple[Parts, str]
) -> None:
    champion = dataclasses.replace(
        CARD, second_stage=None, recipe=TrainRecipe(second_stage=SecondStageChoice(champions))
    )

    assert way_of(_asking(**asked), champion) == wanted


@pytest.mark.parametrize(("evaluated_on", "told"), [("boat_1", {"box_ap50": 0.5}), ("another boat", {})])
def test_figures_are_taken_over_only_where_the_same_cameras_evaluate(
    site: LearningSite, monkeypatch: pytest.MonkeyPatch, evaluated_on: str, told: dict[str, float]
) -> None:
    untrained, request = Untrained(), _request(site, parts="crops")
    monkeypatch.setattr("worker.steps.fit_candidate.load_model_file", lambda folder: None)
    monkeypatch.setattr("worker.steps.fit_candidate.add_second_stage", untrained.add_second_stage)
    with reading(site.engine) as session:
        champion = get_model(session, "champion")
    hashes = BundleHashes(champion.sha256)
    write_card(site.settings.models_dir, "champion", dataclasses.replace(CARD, folds=((evaluated_on,),)), hashes=hashes)

    with pytest.raises(TrainingError, match="asked enough"):
        fit_candidate(request, lambda *_: None)

    assert untrained.card.metrics == told and untrained.card.folds == (("boat_1",),)


def _request(site: LearningSite, **asked: object) -> FitRequest:
    with transaction(site.engine) as session:
        dataset = take_snapshot(session, site.settings, champion=get_champion(session))
    return _asking(dataset=dataset.dataset_id, into=site.settings.models_dir / ".work", **asked)


def _asking(**asked: object) -> FitRequest:
    plain = {"dataset": 1, "parent": "champion", "model": "new", "into": "."}
    return FitRequest.model_validate({**plain, **asked})


class _Crops:
    """A second stage's file that no network is in."""

    def save(self, file: Path) -> None:
        file.write_bytes(b"no network")
