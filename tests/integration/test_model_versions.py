"""The registry: the first model serves, a later one waits, promotions are recorded, a rollback brings back."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from db.domain.cards import plain_card
from db.domain.model_versions import ModelCard, ModelState
from db.errors import NotFoundError
from db.session import reading, transaction
from db.store.model_versions import (
    RegistryError,
    champion_id,
    get_model,
    list_models,
    list_promotions,
    promote,
    register_model,
    rollback_champion,
)

CARD = plain_card(ModelCard("detector", "trunk", "layer", (64, 96), ("ALB", "NoF"), ("x", "y")))


def test_the_first_model_serves_and_the_second_waits(engine: Engine) -> None:
    states = [_register(engine, name) for name in ("m1", "m2")]

    with reading(engine) as session:
        assert states == [ModelState.CHAMPION, ModelState.CANDIDATE]
        assert champion_id(session) == "m1"
        assert plain_card(get_model(session, "m2").card) == CARD


def test_a_promotion_retires_the_champion_and_leaves_a_record(engine: Engine) -> None:
    _register(engine, "m1")
    _register(engine, "m2")

    with transaction(engine) as session:
        before = promote(session, "m2", reason="better", forced=False)

    with reading(engine) as session:
        assert before == "m1"
        assert {model.model_id: model.state for model in list_models(session)} == {
            "m1": ModelState.RETIRED,
            "m2": ModelState.CHAMPION,
        }
        newest = list_promotions(session)[0]
        assert (newest.model_id, newest.previous_id, newest.reason) == ("m2", "m1", "better")


def test_rollbacks_go_back_one_champion_each(engine: Engine) -> None:
    for name in ("m1", "m2", "m3"):
        _register(engine, name)
    with transaction(engine) as session:
        promote(session, "m2", reason="better", forced=False)
        promote(session, "m3", reason="better", forced=False)

    with transaction(engine) as session:
        first = rollback_champion(session, reason="it saw sharks everywhere")
        second = rollback_champion(session, reason="and so did that")

    assert (first, second) == (("m2", "m3"), ("m1", "m2"))
    with reading(engine) as session:
        assert champion_id(session) == "m1"
    with pytest.raises(RegistryError, match="was the first champion"), transaction(engine) as session:
        rollback_champion(session, reason="again")


def test_what_makes_no_sense_is_refused(engine: Engine) -> None:
    _register(engine, "m1")

    with pytest.raises(NotFoundError, match="cli models list"), transaction(engine) as session:
        promote(session, "m9", reason="", forced=True)
    with pytest.raises(RegistryError, match="champion already"), transaction(engine) as session:
        promote(session, "m1", reason="", forced=True)


def _register(engine: Engine, name: str) -> ModelState:
    with transaction(engine) as session:
        return register_model(session, name, sha256="0" * 64, card=CARD, note="")
