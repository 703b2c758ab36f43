"""The recurrent networks of events: one animal followed through a camera's images. Graphs only; no training here."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any


class RecurrentCell(StrEnum):
    """What carries the memory from one step to the next."""

    SIMPLE_RNN = "simple_rnn"
    GRU = "gru"


class StepDecision(IntEnum):
    """What a step shows, and its place on the decision axis."""

    NONE = 0
    SAME = 1
    NEW = 2


def recurrent_cell(cell: RecurrentCell, units: int, *, steps: int, dtype: str = "float32") -> Any:
    """Return the recurrent layer: (B, T, F) to its memory after every step, (B, T, units).

    Unrolled: sequences are a few steps long, and a loop inside the graph costs more than the steps do.
    """
    from worker.models.keras_import import keras

    layer = keras.layers.GRU if cell is RecurrentCell.GRU else keras.layers.SimpleRNN
    options = {"return_sequences": True, "unroll": steps > 1, "dtype": dtype, "name": "memory"}
    return layer(units, **options)


def build_follower(cell: RecurrentCell, *, steps: int, inputs: int, units: int = 32) -> Any:
    """Return the network that follows one animal.

    Inputs: `steps` (B, T, F), what each step shows and how it relates to the step before; `log_species` (B, T, S), the
    logarithm of the species probabilities seen at each step, 0 at steps that are padding; any number of species.
    Outputs: `decision` (B, T, 3), probabilities in the order of `StepDecision`; `species` (B, T, S), the species of the
    animal by all steps so far: the sum of what the steps saw, each weighted as the memory finds it worth.
    Padding comes after the last step, so nothing that counts ever sees it.
    """
    from worker.models.keras_import import keras

    layers, ops = keras.layers, keras.ops
    shown = keras.Input((steps, inputs), name="steps")
    log_species = keras.Input((steps, None), name="log_species")
    x = layers.Dense(units, activation="relu", name="squeeze")(shown)  # (B, T, units)
    memory = recurrent_cell(cell, units, steps=steps)(x)  # (B, T, units)
    decision = layers.Dense(len(StepDecision), activation="softmax", name="decision")(memory)  # (B, T, 3)
    worth = layers.Dense(1, activation="softplus", kernel_initializer="zeros", name="worth")(memory)  # (B, T, 1)
    evidence = ops.cumsum(worth * log_species, axis=1)  # (B, T, S)
    named = layers.Softmax(name="species")(evidence)
    outputs = {"decision": decision, "species": named}
    return keras.Model({"steps": shown, "log_species": log_species}, outputs, name=f"follower_{cell.value}")
