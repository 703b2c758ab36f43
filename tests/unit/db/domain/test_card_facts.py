"""Queries go by a few facts of a card, whatever an older or a damaged card holds."""

import pytest

from db.domain.card_facts import CardFacts, facts_of
from db.domain.cards import plain_card
from db.domain.model_versions import ModelCard
from db.domain.train_recipe import TrainRecord

NOTHING = CardFacts(sized=False, input_hw=None, species=(), cameras=(), calibrated=False, against=())


def test_the_facts_are_those_of_the_whole_card():
    card = ModelCard(
        "centre",
        "trunk",
        "layer",
        (360, 640),
        ("ALB", "NoF"),
        (),
        blind=("sees nothing",),
        cautions=("one camera",),
        record=TrainRecord(cameras=("boat_1",)),
    )

    facts = facts_of(plain_card(card))

    assert facts == CardFacts(
        True, (360, 640), ("ALB", "NoF"), ("boat_1",), calibrated=False, against=("sees nothing", "one camera")
    )


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"input_hw": [360]},
        {"species": None, "record": []},
        {"record": {"cameras": None}, "box_confidence": None, "blind": "no list"},
    ],
)
def test_what_a_card_does_not_say_is_empty(card):
    assert facts_of(card) == NOTHING
