"""Builds the second stage: a trunk's deepest features of a crop, pooled, straight to species. Graphs only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from worker.models.trunks import IMAGENET, build_trunk, trunk_spec

if TYPE_CHECKING:
    import keras

LOGITS_LAYER, POOLED_LAYER = "crop_logits", "crop_mean"
LOGITS, EMBEDDING = "logits", "embedding"
"""The outputs of a classifier as it is served: species logits (B, S), and what neighbours are found by (B, D)."""


def build_pooled_trunk(name: str, *, crop_px: int, weights: str | Path = IMAGENET) -> keras.Model:
    """Return a model from crops (B, P, P, 3) uint8 to the trunk's deepest features, averaged over the crop: (B, C)."""
    from worker.models.keras_import import keras

    trunk = build_trunk(name, input_hw=(crop_px, crop_px), weights=weights, layer=trunk_spec(name).last_layer)
    pooled = keras.layers.GlobalAveragePooling2D(name=POOLED_LAYER)(trunk.output)
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


@dataclass(frozen=True, eq=False)
class FrozenShare:
    """A frozen trunk with a softmax of its own that is heard beside the tuned one.

    trunk: crops to pooled features. weights: (C, S), bias: (S,). temperature, tuned_temperature: the two networks'
    logits are divided by them before they are added.
    """

    trunk: Any
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    temperature: float
    tuned_temperature: float


def build_served(
    classifier: keras.Model,
    *,
    mean: npt.NDArray[np.float32],
    directions: npt.NDArray[np.float32],
    frozen: FrozenShare | None = None,
) -> keras.Model:
    """Return the classifier as it is served: crops (B, P, P, 3) uint8 to {logits (B, S), embedding (B, D)}.

    mean: (C,) of the training crops' pooled features, directions: (C, D) to project what is left onto.
    frozen: its logits and the classifier's are added, each over its temperature.
    """
    from worker.models.keras_import import keras

    pooled = classifier.get_layer(POOLED_LAYER).output
    project = keras.layers.Dense(directions.shape[1], name=EMBEDDING)
    outputs = {EMBEDDING: project(pooled), LOGITS: classifier.output}
    if frozen is not None:
        heard = keras.layers.Dense(len(frozen.bias), name="frozen_logits")
        # Nested: two trunks of one kind have layers of the same names.
        beside = heard(_nested(frozen.trunk)(classifier.input))
        kernel, bias = (part / frozen.tuned_temperature for part in classifier.get_layer(LOGITS_LAYER).get_weights())
        set_logits(classifier, kernel, bias)
        heard.set_weights([frozen.weights / frozen.temperature, frozen.bias / frozen.temperature])
        outputs[LOGITS] = keras.layers.Add(name="both_logits")([classifier.output, beside])
    project.set_weights([directions, -mean @ directions])
    return keras.Model(classifier.input, outputs, name="served_crops")


def _nested(trunk: keras.Model) -> keras.Model:
    from worker.models.detector import fold_batch_norms
    from worker.models.keras_import import keras

    folded = fold_batch_norms(trunk)
    return keras.Model(folded.input, folded.output, name="frozen_trunk")


def unfreeze(model: Any) -> None:
    """Let every layer learn but the batch norms, which keep the statistics of a million images.

    Batches of a few dozen crops of a few cameras would replace them by those cameras'.
    """
    from worker.models.keras_import import keras

    # Layer by layer: the trunk was frozen so, and a flat graph's own switch does not reach them.
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
