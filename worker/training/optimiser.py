"""The optimiser of every training here: AdamW, a tenth of the steps to warm up, then a cosine."""

from __future__ import annotations

import math
from typing import Any

_LOWEST = 0.01  # of the highest rate: where the cosine would arrive, a warm-up's length after the last step


def learning_rate_at(step: int, *, steps: int, highest: float) -> float:
    """Return the learning rate of a step of a training of so many steps, the first being 0.

    Source: Loshchilov and Hutter 2017 (cosine annealing).

    >>> [round(learning_rate_at(step, steps=100, highest=1.0), 3) for step in (0, 5, 10, 60, 99)]
    [0.1, 0.55, 1.0, 0.505, 0.039]
    """
    warm_up = max(steps // 10, 1)
    if step < warm_up:
        return highest * (0.1 + 0.9 * step / warm_up)
    gone = min((step - warm_up) / max(steps, 1), 1.0)
    return highest * (_LOWEST + (1.0 - _LOWEST) * 0.5 * (1.0 + math.cos(math.pi * gone)))


def compile_adamw(model: Any, *, loss: Any, loss_weights: dict[str, float] | None = None) -> None:
    """Compile a Keras model for `train_step`. Source: Loshchilov and Hutter 2019 (decoupled weight decay)."""
    from worker.models.keras_import import keras

    # A rate that is set from outside: Keras would trace a schedule once for every variable, half of a graph's tracing.
    optimizer = keras.optimizers.AdamW(weight_decay=1e-3, clipnorm=5.0)
    # XLA is slower on CPUs here.
    model.compile(optimizer=optimizer, loss=loss, loss_weights=loss_weights, jit_compile=False)
    optimizer.build(model.trainable_variables)  # made within the first step, they would have it traced again


def train_step(model: Any, batch: tuple[Any, Any, Any], *, steps: int, learning_rate: float) -> None:
    """Train on a batch: inputs, targets, weights. steps: of the whole training; learning_rate: its highest."""
    optimizer = model.optimizer
    optimizer.learning_rate = learning_rate_at(int(optimizer.iterations), steps=steps, highest=learning_rate)
    model.train_on_batch(*batch)
