"""Builds the second stage: a trunk's deepest features of a crop, pooled, straight to species. Graphs only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from worker.models.trunks import IMAGENET, build_trunk, trunk_spec

if TYPE_CHECKING:
    import keras

LOGITS_LAYER = "crop_logits"


def build_pooled_trunk(name: str, *, crop_px: int, weights: str | Path = IMAGENET) -> keras.Model:
    """Return a model from crops (B, P, P, 3) uint8 to the trunk's deepest features, averaged over the crop: (B, C)."""
    from worker.models.keras_import import keras

    trunk = build_trunk(name, input_hw=(crop_px, crop_px), weights=weights, layer=trunk_spec(name).last_layer)
    pooled = keras.layers.GlobalAveragePooling2D(name="crop_mean")(trunk.output)
    return keras.Model(trunk.input, pooled, name="pooled_trunk")


def build_crop_classifier(pooled_trunk: keras.Model, *, species: int, dropout: float = 0.2) -> keras.Model:
    """Return a flat graph from crops (B, P, P, 3) uint8 to species logits (B, S)."""
    from worker.models.keras_import import keras

    x = keras.layers.Dropout(dropout, name="crop_drop")(pooled_trunk.output)
    logits = keras.layers.Dense(species, name=LOGITS_LAYER)(x)
    return keras.Model(pooled_trunk.input, logits, name="crop_classifier")


def set_logits(model: keras.Model, weights: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> None:
    """Give the last layer its weights (C, S) and bias (S,)."""
    model.get_layer(LOGITS_LAYER).set_weights([weights, bias])


def unfreeze(model: Any) -> None:
    """Let every layer learn but the batch norms, which keep the statistics of a million images.

    Batches of a few dozen crops of a few cameras would replace them by those cameras'.
    """
    from worker.models.keras_import import keras

    # Layer by layer: the trunk was frozen so, and a flat graph's own switch does not reach them.
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
