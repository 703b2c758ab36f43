"""Trains the network that follows an animal; its last step is what counts, the others are its memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from db.progress import Progress, no_progress
from worker.events.hypotheses import Hypotheses
from worker.events.steps import INPUTS, MAX_STEPS
from worker.models.recurrent import RecurrentCell, StepDecision, build_follower


@dataclass(frozen=True)
class FollowerSettings:
    """How the follower is trained. species_weight: of the species' loss beside the decision's."""

    cell: RecurrentCell = RecurrentCell.GRU
    units: int = 48
    epochs: int = 15
    batch: int = 256
    learning_rate: float = 3e-3
    species_weight: float = 0.3
    seed: int = 0


def train_follower(learnt_from: Hypotheses, settings: FollowerSettings, *, progress: Progress = no_progress) -> Any:
    """Return the trained Keras model."""
    from worker.models.keras_import import keras

    keras.utils.set_random_seed(settings.seed)
    model = build_follower(settings.cell, steps=MAX_STEPS, inputs=INPUTS, units=settings.units)
    steps_in_all = settings.epochs * -(-len(learnt_from) // settings.batch)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps_in_all)
    model.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss={"decision": "categorical_crossentropy", "species": "categorical_crossentropy"},
        loss_weights={"decision": 1.0, "species": settings.species_weight},
    )
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _logs: progress(epoch + 1, settings.epochs))
    inputs = {"steps": learnt_from.steps, "log_species": learnt_from.log_species}
    targets, weights = _targets(learnt_from)
    model.fit(
        inputs,
        targets,
        sample_weight=weights,
        batch_size=settings.batch,
        epochs=settings.epochs,
        verbose=0,
        callbacks=[told],
    )
    return model


def _targets(learnt_from: Hypotheses) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return targets (N, T, 3) and (N, T, S) and their weights (N, T): 1 at the last step, 0 elsewhere."""
    count, species = len(learnt_from), learnt_from.log_species.shape[2]
    rows, last = np.arange(count), learnt_from.last
    decision = np.zeros((count, MAX_STEPS, len(StepDecision)), dtype=np.float32)
    decision[rows, last, learnt_from.decision] = 1.0
    named = np.zeros((count, MAX_STEPS, species), dtype=np.float32)
    asked = learnt_from.species >= 0
    named[rows[asked], last[asked], learnt_from.species[asked]] = 1.0
    counts = np.zeros((count, MAX_STEPS), dtype=np.float32)
    counts[rows, last] = 1.0
    return {"decision": decision, "species": named}, {"decision": counts, "species": counts * asked[:, None]}
