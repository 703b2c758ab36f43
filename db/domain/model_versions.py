"""A model version's card: everything that is known of it besides its weights; written as card.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from db.domain.box_confidence import BoxConfidence
from db.domain.train_recipe import CropRecipe, CropRecord, GateRecord, TrainRecipe, TrainRecord


class ModelState(StrEnum):
    """The states of a model version."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    RETIRED = "retired"


@dataclass(frozen=True)
class SecondStage:
    """What the second stage, the crop classifier, needs to be served and what is known of it; plain JSON.

    crop_px: side of its square input. margin: share of a box's longer side that is kept around it. species: the label
    set in order. method: how it was trained. turns: quarter turns of a crop whose answers are averaged, 1 or 4.
    temperature: its logits are divided by it. log_prior_shift: added to its logits before that, one a species: training
    counts rare species more, and this takes it back. weight: its share in the image's final answer, 0..1.
    neighbour_temperature: of the answers after a camera's crops have heard their neighbours; None where they do not.
    recipe, record, metrics, metrics_by: as in ModelCard; the figures are of single crops, on held-out cameras.
    """

    trunk: str
    crop_px: int
    margin: float
    species: tuple[str, ...]
    method: str
    turns: int
    temperature: float
    log_prior_shift: tuple[float, ...]
    weight: float
    neighbour_temperature: float | None = None
    recipe: CropRecipe = field(default_factory=CropRecipe)
    record: CropRecord = field(default_factory=CropRecord)
    metrics: dict[str, float] = field(default_factory=dict)
    metrics_by: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    train_seconds: float = 0.0


@dataclass(frozen=True)
class ModelCard:
    """What a detector needs to be served and what is known of it; every field is plain JSON.

    input_hw: rows, columns of the trunk's input. species: the label set in order. recipe: what training was asked for;
    record: what came of it. gate: what was said of a candidate. metrics: figures by name, on held-out cameras.
    metrics_by: {"species": {...}, "camera": {...}}. second_stage: the crop classifier that lies beside the detector,
    None where there is none. box_confidence: what its boxes' scores mean, None where they are taken as they are.
    blind: why it does not see fish, one line each, empty where it does; cautions: why its figures or some of its
    answers deserve little trust.
    """

    kind: str
    trunk: str
    layer: str
    input_hw: tuple[int, int]
    species: tuple[str, ...]
    heads: tuple[str, ...]
    recipe: TrainRecipe = field(default_factory=TrainRecipe)
    record: TrainRecord = field(default_factory=TrainRecord)
    gate: GateRecord | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    metrics_by: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    dataset_sha256: str = ""
    folds: tuple[tuple[str, ...], ...] = ()
    parent: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    train_seconds: float = 0.0
    command: str = ""
    second_stage: SecondStage | None = None
    box_confidence: BoxConfidence | None = None
    blind: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
