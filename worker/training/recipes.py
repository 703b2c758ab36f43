"""The training recipe of each head: what differs from the common one, and why."""

from __future__ import annotations

from worker.models.names import HeadName
from worker.training.fit import FitSettings

_RECIPES: dict[HeadName, FitSettings] = {}


def recipe_for(head: HeadName) -> FitSettings:
    """Return how a head is trained where nothing else is asked for."""
    return _RECIPES.get(head, FitSettings())
