"""What is held in the database for the crop classifier."""

from __future__ import annotations

from sqlalchemy import Engine

from db.domain.boxes import Box
from db.domain.model_versions import ModelCard
from db.session import reading
from db.settings import Settings
from db.store.reviews import current_corrections
from worker.models.names import Balance, CropMethod
from worker.models.trunks import named_weights
from worker.training.crops.settings import CropTrainSettings


def crop_settings(
    card: ModelCard, settings: Settings, *, method: CropMethod, balance: Balance, by_sampling: bool, seed: int
) -> CropTrainSettings:
    """Return how a detector's second stage is trained: on the same trunk."""
    return CropTrainSettings(
        method=method,
        trunk=card.trunk,
        weights=named_weights(card.recipe.weights),
        label_set=settings.label_set,
        balance=balance,
        by_sampling=by_sampling,
        seed=seed,
    )


def false_boxes_held(engine: Engine) -> dict[str, tuple[Box, ...]]:
    """Return the boxes that people took away, by content: they show what looks like a fish and is none."""
    with reading(engine) as session:
        return {sha256: tuple(said.removed_boxes) for sha256, said in current_corrections(session).items()}
