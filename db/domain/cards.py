"""A model version's card from and to plain JSON values; cards of older versions are brought up to date here alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from db.domain.model_versions import ModelCard

_DETECTOR_RECIPE = ("weights", "held_out_share", "augment", "final_fit", "second_stage", "parts", "dataset")
_CROP_RECIPE = ("weights", "balance", "by_sampling", "seed")


def card_from_plain(plain: Mapping[str, object]) -> ModelCard:
    """Return the card that plain JSON values hold; keys of newer versions are ignored, older cards are understood.

    Raises:
        ValueError: they are no card; one line says what was found where.
    """
    try:
        return _adapter().validate_python(up_to_date(plain))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None


def plain_card(card: ModelCard) -> dict[str, Any]:
    """Return a card as plain JSON values, as the registry's row holds it; the hashes are the row's own columns."""
    plain: dict[str, Any] = _adapter().dump_python(card, mode="json")
    return plain


def up_to_date(plain: Mapping[str, object]) -> dict[str, object]:
    """Return a card's plain values in today's form.

    Before 0.2 one mapping, `parameters`, held what was asked for, what came of it, and the gate's word.

    >>> up_to_date({"kind": "detector", "parameters": {"weights": "random", "images": 12}})
    {'kind': 'detector', 'recipe': {'weights': 'random'}, 'record': {'images': 12}}
    """
    card = dict(plain)
    told = card.pop("parameters", None)
    if isinstance(told, dict):
        card |= _detector_parts(told)
    second = card.get("second_stage")
    if isinstance(second, dict):
        card["second_stage"] = _second_stage(second)
    return card


def _detector_parts(told: dict[str, object]) -> dict[str, object]:
    recipe = {name: told[name] for name in _DETECTOR_RECIPE if name in told}
    record = {name: value for name, value in told.items() if name not in (*_DETECTOR_RECIPE, "fit", "gate")}
    tuned = record.pop("fine_tune", None)
    if isinstance(tuned, dict):
        recipe["fine_tune"] = tuned
        if "from_layer" in tuned:
            record["fine_tuned"] = tuned
    if isinstance(fit := told.get("fit"), dict):
        by_head = all(isinstance(values, dict) for values in fit.values())
        recipe["fit"] = fit if by_head else {"centre": fit}
    gate = {"gate": told["gate"]} if isinstance(told.get("gate"), dict) else {}
    return {"recipe": recipe, "record": record, **gate}


def _second_stage(second: Mapping[str, object]) -> dict[str, object]:
    part = dict(second)
    told = part.pop("parameters", None)
    if isinstance(told, dict):
        part["recipe"] = {name: told[name] for name in _CROP_RECIPE if name in told}
        part["record"] = {name: value for name, value in told.items() if name not in _CROP_RECIPE}
    return part


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[ModelCard]:
    return TypeAdapter(ModelCard)
