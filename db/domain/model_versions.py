"""A model version's card: everything that is known of it besides its weights; written as card.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ModelState(StrEnum):
    """The states of a model version."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    RETIRED = "retired"


@dataclass(frozen=True)
class ModelCard:
    """What a detector needs to be served and what is known of it; every field is plain JSON.

    input_hw: rows, columns of the trunk's input. species: the label set in order. parameters: what training was asked
    for. metrics: figures by name, on held-out cameras. metrics_by: {"species": {...}, "camera": {...}}.
    """

    kind: str
    trunk: str
    layer: str
    input_hw: tuple[int, int]
    species: tuple[str, ...]
    heads: tuple[str, ...]
    parameters: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    metrics_by: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    dataset_sha256: str = ""
    folds: tuple[tuple[str, ...], ...] = ()
    parent: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    train_seconds: float = 0.0
    command: str = ""
