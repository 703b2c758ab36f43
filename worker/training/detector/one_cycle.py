"""The fixed schedule of the centre detector: no early stopping that a few images of one camera could fool."""

from __future__ import annotations

import math
from typing import Any

_WARM_UP = 0.12  # of the steps
_START = 1 / 25  # of the peak
_DECAY = 0.02
_CLIP = 5.0


def one_cycle_rate(step: int, *, steps: int, peak: float) -> float:
    """Return the learning rate of a step of so many, the first being 0: up in an eighth of them, then down a cosine.

    Source: Smith and Topin 2018.

    >>> [round(one_cycle_rate(step, steps=100, peak=1.0), 3) for step in (0, 6, 12, 56, 99)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    warm_up = max(round(steps * _WARM_UP), 1)
    if step < warm_up:
        return peak * (_START + (1.0 - _START) * step / warm_up)
    gone = (step - warm_up) / max(steps - warm_up, 1)
    return peak * 0.5 * (1.0 + math.cos(math.pi * min(gone, 1.0)))


def compile_for_cycle(model: Any, *, loss: dict[str, Any], loss_weights: dict[str, float]) -> None:
    """Compile a Keras model for `cycle_step`. Source: Loshchilov and Hutter 2019 (decoupled weight decay)."""
    from worker.models.keras_import import keras

    optimizer = keras.optimizers.AdamW(weight_decay=_DECAY, global_clipnorm=_CLIP)
    model.compile(optimizer=optimizer, loss=loss, loss_weights=loss_weights, jit_compile=False)  # XLA is slower here
    optimizer.build(model.trainable_variables)  # made within the first step, they would have it traced again


def cycle_step(model: Any, batch: tuple[Any, Any, Any], *, steps: int, peak: float) -> float:
    """Train on a batch (inputs, targets, weights) and return its loss. steps: of the whole training."""
    optimizer = model.optimizer
    optimizer.learning_rate = one_cycle_rate(int(optimizer.iterations), steps=steps, peak=peak)
    model.reset_metrics()
    return float(model.train_on_batch(*batch, return_dict=True)["loss"])
