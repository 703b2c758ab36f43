"""The optimiser of every training here: AdamW, a tenth of the steps to warm up, then a cosine."""

from __future__ import annotations

from typing import Any


def adamw(*, learning_rate: float, steps: int) -> Any:
    """Return a Keras optimiser for so many steps. learning_rate: after warming up.

    Source: Loshchilov and Hutter 2019 (decoupled weight decay), 2017 (cosine annealing).
    """
    from worker.models.keras_import import keras

    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 10,
        max(steps, 1),
        alpha=0.01,
        warmup_target=learning_rate,
        warmup_steps=max(steps // 10, 1),
    )
    return keras.optimizers.AdamW(schedule, weight_decay=1e-3, clipnorm=5.0)
