"""The few facts of a model's card that queries go by, read from its row without building the whole card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from db.domain.train_choices import SIZED_KIND


@dataclass(frozen=True)
class CardFacts:
    """What a row's card says; empty or None where it does not say.

    sized: its input follows the fish size of a camera. input_hw: rows, columns of its base input. species: in order.
    cameras: those it learnt from. calibrated: its boxes' scores are chances. against: what it says against itself, a
    line each, reasons why it does not see first.
    """

    sized: bool
    input_hw: tuple[int, int] | None
    species: tuple[str, ...]
    cameras: tuple[str, ...]
    calibrated: bool
    against: tuple[str, ...]


def facts_of(card: Mapping[str, object]) -> CardFacts:
    """Return the facts of a card's plain JSON values.

    >>> facts_of({"kind": "centre", "input_hw": [360, 640], "species": ["ALB"], "blind": ["sees nothing"]}).input_hw
    (360, 640)
    """
    input_hw, record = card.get("input_hw"), card.get("record")
    return CardFacts(
        sized=card.get("kind") == SIZED_KIND,
        input_hw=(int(input_hw[0]), int(input_hw[1])) if isinstance(input_hw, list) and len(input_hw) == 2 else None,
        species=_texts(card.get("species")),
        cameras=_texts(record.get("cameras")) if isinstance(record, dict) else (),
        calibrated=bool(card.get("box_confidence")),
        against=_texts(card.get("blind")) + _texts(card.get("cautions")),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list | tuple) else ()
