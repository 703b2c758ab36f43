"""Model cards: today's come back as they were, and cards of before 0.2 are read by the same function."""

from __future__ import annotations

import json

import pytest

from db.domain.cards import card_from_plain, plain_card
from db.domain.model_versions import ModelCard, SecondStage
from db.domain.train_choices import Balance, Parts, SecondStageChoice
from db.domain.train_recipe import (
    CropRecipe,
    CropRecord,
    GateRecord,
    TrainRecipe,
    TrainRecord,
    TunedBlocks,
    TunedFit,
)
from tests.plain_cards import CARD, SECOND_STAGE

# As a card of 30 November 2026 was written.
PARAMETERS_BEFORE: dict[str, object] = {
    "weights": "random",
    "final_fit": True,
    "split": "by camera",
    "held_out_share": 0.3,
    "images": 40,
    "images_held_out": 8,
    "species_without_images": ["NoF"],
    "images_guessed": 2,
    "fit": {"box_species": {"epochs": 10, "learning_rate": 0.002, "flip": True}},
    "augment": 3,
    "epochs_run": {"box_species": 9},
    "epoch_kept": {"box_species": 4},
    "head_seconds": {"box_species": 1.5},
    "fine_tune": {"blocks": 2, "from_layer": "x", "epochs": 4, "epochs_run": 3, "best_epoch": 1, "seconds": 2.5},
    "dataset": 7,
    "parts": "both",
    "second_stage": "frozen",
    "gate": {"promoted": False, "champion": "m-1", "objections": ["worse"], "champion_figures": {"accuracy": 0.5}},
}


def test_a_card_comes_back_as_it_was_through_json() -> None:
    recipe = TrainRecipe(weights="w.h5", second_stage=SecondStageChoice.NONE, fit={"centre": {"epochs": 13}})
    second = SecondStage("t", 160, 0.1, ("ALB",), "frozen", 4, 1.0, (0.0,), 0.5, recipe=CropRecipe(seed=3))
    card = ModelCard(
        "centre", "t", "l", (288, 512), ("ALB",), ("a", "b"), recipe=recipe, metrics={"accuracy": float("nan")},
        folds=(("boat 1",), ()), second_stage=second,
    )  # fmt: skip

    back = card_from_plain(json.loads(json.dumps(plain_card(card))))

    assert repr(back) == repr(card)  # nan is not equal to itself


def test_a_card_of_before_tells_what_it_told() -> None:
    card = card_from_plain({**CARD, "parameters": PARAMETERS_BEFORE})

    assert card.recipe == TrainRecipe(
        weights="random",
        held_out_share=0.3,
        augment=3,
        fine_tune=TunedBlocks(blocks=2, epochs=4),
        final_fit=True,
        fit={"box_species": {"epochs": 10, "learning_rate": 0.002, "flip": True}},
        second_stage=SecondStageChoice.FROZEN,
        parts=Parts.BOTH,
        dataset=7,
    )
    assert card.record == TrainRecord(
        split="by camera",
        images=40,
        images_held_out=8,
        images_guessed=2,
        species_without_images=("NoF",),
        epochs_run={"box_species": 9},
        epoch_kept={"box_species": 4},
        head_seconds={"box_species": 1.5},
        fine_tuned=TunedFit(from_layer="x", epochs_run=3, best_epoch=1, seconds=2.5),
    )
    assert card.gate == GateRecord(champion="m-1", objections=("worse",), champion_figures={"accuracy": 0.5})


def test_a_centre_card_of_before_has_one_fit() -> None:
    told = {"fit": {"epochs": 13, "peak_rate": 0.0015}, "steps": 220, "epoch_kept": "the last of a fixed schedule"}

    card = card_from_plain({**CARD, "parameters": told})

    assert card.recipe == TrainRecipe(fit={"centre": {"epochs": 13, "peak_rate": 0.0015}})
    assert card.record == TrainRecord(steps=220, epoch_kept="the last of a fixed schedule")


def test_a_second_stage_of_before_is_read() -> None:
    told = {"weights": "random", "balance": "full", "by_sampling": True, "seed": 3, "crops": 20, "members": 2}

    card = card_from_plain({**CARD, "second_stage": {**SECOND_STAGE, "parameters": told}})

    assert card.second_stage is not None
    assert card.second_stage.recipe == CropRecipe(weights="random", balance=Balance.FULL, by_sampling=True, seed=3)
    assert card.second_stage.record == CropRecord(crops=20, members=2)


@pytest.mark.parametrize("second_stage", [None, SECOND_STAGE], ids=["without", "with"])
def test_a_card_that_tells_nothing_of_its_training_has_the_usual_recipe(second_stage: object) -> None:
    card = card_from_plain({**CARD, "second_stage": second_stage})

    assert (card.recipe, card.record, card.gate) == (TrainRecipe(), TrainRecord(), None)


def test_what_is_no_recipe_is_told_by_its_field() -> None:
    with pytest.raises(ValueError, match=r"^recipe\.augment: Input should be a valid integer"):
        card_from_plain({**CARD, "recipe": {"augment": "often"}})
