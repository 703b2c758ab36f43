"""Gives a detector one more output: how far an image lies from all that it learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

NOVELTY = "novelty"
_PROJECTION = "novelty_projection"


def with_novelty(
    detector: keras.Model, deepest: Any, *, mean: npt.NDArray[np.float64], whitening: npt.NDArray[np.float64]
) -> keras.Model:
    """Return the detector with the output `novelty`, (B, 1), the root mean square of (pooled - mean) @ whitening.

    deepest: the trunk's deepest map in the detector's graph, (B, h, w, D). mean: (D,). whitening: (D, D).
    """
    from worker.models.keras_import import keras

    layers, ops = keras.layers, keras.ops
    pooled = layers.GlobalAveragePooling2D(dtype="float32", name="novelty_pool")(deepest)
    # A small number of large weights must not be rounded: distances are differences.
    projection = layers.Dense(whitening.shape[1], dtype="float32", name=_PROJECTION)
    away = projection(pooled)
    novelty = ops.sqrt(ops.mean(ops.square(away), axis=-1, keepdims=True))
    projection.set_weights([whitening, -(mean @ whitening)])
    projection.trainable = False
    outputs = {**detector.output, NOVELTY: novelty}
    return keras.Model(detector.input, outputs, name=detector.name)
