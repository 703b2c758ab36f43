"""Wires the centre detector: one trunk pass, the centre head, and the lesson's two heads beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from worker.models.any_size_heads import deep_levels, largest_fish, species_maps
from worker.models.centre_head import centre_outputs
from worker.models.detector import copy_weights
from worker.models.fish_neck import even_levels, fish_neck
from worker.models.novelty import with_novelty

if TYPE_CHECKING:
    import keras

# `location_map` is learnt from and not served.
SERVED = ("box", "box_species", "heatmap", "heatmap_species", "centres", "ltrb_offsets")
Deviations = Sequence[Sequence[float]]
Floats = npt.NDArray[np.float64]


def build_centre_head(channels: Sequence[int], deviations: Deviations) -> keras.Model:
    """Return neck and centre head as a model of its own, from the trunk's three levels, for training."""
    from worker.models.keras_import import keras

    levels = _level_inputs(channels)
    return keras.Model(levels, _centre(levels, deviations), name="centre")


def build_species_heads(channels: Sequence[int], deviations: Deviations, *, species: int) -> keras.Model:
    """Return the largest-fish head and the species maps as one model, from the trunk's two deeper levels, for training.

    channels, deviations: of all three levels.
    """
    from worker.models.keras_import import keras

    levels = _level_inputs(channels)[1:]
    return keras.Model(levels, _species_heads(levels, deviations[1:], species), name="species_heads")


def build_centre_detector(
    trunk: keras.Model,
    centre: keras.Model,
    species_heads: keras.Model,
    *,
    deviations: Deviations,
    novelty: tuple[Floats, Floats] | None = None,
) -> keras.Model:
    """Return one flat graph from images to all outputs, with the heads' trained weights.

    novelty: mean and whitening of the pooled deepest features of what was learnt from; with them the graph also has
    `novelty` (B, 1), how far an image lies from that.

    trunk: from `build_trunk_levels`. Input (B, H, W, 3) uint8, any multiples of 32. Outputs by name: box (B, 4) xyxy in
    input pixels, box_species and heatmap_species (B, S) probabilities, heatmap (B, H/16, W/16, S) logits, centres
    (B, H/8, W/8, 1) logits, ltrb_offsets (B, H/8, W/8, 4) input pixels.
    """
    from worker.models.keras_import import keras

    species = int(species_heads.output["box_species"].shape[-1])
    outputs = {**_centre(trunk.outputs, deviations), **_species_heads(trunk.outputs[1:], deviations[1:], species)}
    detector = keras.Model(trunk.input, {name: outputs[name] for name in SERVED}, name="centre_detector")
    for head in (centre, species_heads):
        copy_weights(head, detector)
    if novelty is None:
        return detector
    return with_novelty(detector, trunk.outputs[-1], mean=novelty[0], whitening=novelty[1])


def build_tunable(
    trunk: keras.Model, centre: keras.Model, species_heads: keras.Model, *, deviations: Deviations
) -> keras.Model:
    """Return trunk and all heads as one graph to train, with every output; the trunk's layers stay shared.

    All layers learn but batch norms, which keep their statistics and scales.
    """
    from worker.models.keras_import import keras

    species = int(species_heads.output["box_species"].shape[-1])
    outputs = {**_centre(trunk.outputs, deviations), **_species_heads(trunk.outputs[1:], deviations[1:], species)}
    tunable = keras.Model(trunk.input, outputs, name="tunable")
    for head in (centre, species_heads):
        copy_weights(head, tunable)
    for layer in tunable.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return tunable


def served_part(tunable: keras.Model) -> keras.Model:
    """Return the graph of a tuned detector that serves, with its weights."""
    from worker.models.keras_import import keras

    outputs = {name: tunable.output[name] for name in SERVED}
    return keras.Model(tunable.input, outputs, name="centre_detector")


def _level_inputs(channels: Sequence[int]) -> list[Any]:
    from worker.models.keras_import import keras

    return [keras.Input((None, None, count), name=f"level{place}") for place, count in enumerate(channels)]


def _centre(levels: Sequence[Any], deviations: Deviations) -> dict[str, Any]:
    return centre_outputs(fish_neck(even_levels(levels, deviations, prefix="centre")))


def _species_heads(levels: Sequence[Any], deviations: Deviations, species: int) -> dict[str, Any]:
    deep = deep_levels(even_levels(levels, deviations, prefix="species"), prefix="species")
    return {**largest_fish(deep, species=species), **species_maps(deep, species=species)}
