"""The lesson's two heads for images of any size: the largest fish's box with its species, and a heat map a species.

Both read the trunk's features of strides 16 and 32 with layers of their own, so that each can disagree with the other
and with the centre head. Nothing in them depends on how many cells there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from db.domain.train_choices import SIZED_HEATMAP_STRIDE_PX
from worker.models.fish_neck import conv_norm_relu

HEADS_STRIDE_PX = SIZED_HEATMAP_STRIDE_PX
_CHANNELS = 64
_BOX_UNIT_PX = 40.0
_PLACE_UNIT_PX = 100.0  # places are reckoned in this many pixels: their squares stay small in 32 bits


def deep_levels(levels: Sequence[Any], *, prefix: str) -> Any:
    """Return strides 16 and 32 joined at stride 16, (B, h, w, C16 + C32)."""
    from worker.models.keras_import import keras

    up = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"{prefix}_up")(levels[1])
    return keras.layers.Concatenate(name=f"{prefix}_join")([levels[0], up])


def largest_fish(deep: Any, *, species: int) -> dict[str, Any]:
    """Return the box head's outputs: box (B, 4) xyxy input pixels, box_species (B, S), location_map (B, h * w).

    One shared dense stack with four linear outputs and a softmax, as in the lesson; in place of a flattened grid, which
    learns every camera's places by heart, it sees the features under a learnt map of where the largest fish is (in
    training `location_map`), and that map's own first box: its mean and spread.
    """
    from worker.models.keras_import import keras

    layers, ops = keras.layers, keras.ops
    squeezed = conv_norm_relu(layers.SpatialDropout2D(0.1, name="box_drop")(deep), _CHANNELS, 1, "box_squeeze")
    near = conv_norm_relu(squeezed, _CHANNELS, 3, "box_near")
    logits = layers.Conv2D(1, 3, padding="same", name="box_map")(near)  # (B, h, w, 1)
    shares = layers.Softmax(name="location_map")(layers.Reshape((-1,), name="box_map_cells")(logits))  # (B, h * w)
    first_box, half = _first_box(shares, logits)
    cells = layers.Reshape((-1, _CHANNELS), name="box_near_cells")(near)
    seen = layers.Dot(axes=1, name="box_seen")([shares, cells])  # (B, C)
    peak = layers.GlobalMaxPooling2D(name="box_peak")(near)
    x = layers.Concatenate(name="box_evidence")([seen, peak, half / _BOX_UNIT_PX])
    x = layers.Dropout(0.2, name="box_drop1")(layers.Dense(128, activation="relu", name="box_dense1")(x))
    x = layers.Dense(96, activation="relu", name="box_dense2")(x)
    linear = layers.Dense(4, kernel_initializer="zeros", name="box_linear")(x)
    correction = layers.Rescaling(_BOX_UNIT_PX, dtype="float32", name="box_to_pixels")(linear)
    return {
        "box": layers.Add(name="box")([first_box, correction]),
        "location_map": shares,
        "box_species": layers.Dense(species, activation="softmax", kernel_initializer="zeros", name="box_species")(
            ops.concatenate([x, seen], axis=-1)
        ),
    }


def species_maps(deep: Any, *, species: int) -> dict[str, Any]:
    """Return the heat-map head's outputs: heatmap (B, h, w, S) logits and heatmap_species (B, S).

    Convolutions without pooling; the image's species comes from the maps' averages, as in the lesson, behind a learnt
    scale and shift: of each species how much of the image shows it, how surely one neighbourhood does, and the mean
    logit, the first two as logarithms, for a fish covers about a sixty-fourth of the image.
    """
    from worker.models.keras_import import keras

    layers, ops = keras.layers, keras.ops
    x = conv_norm_relu(layers.SpatialDropout2D(0.1, name="maps_drop")(deep), _CHANNELS, 1, "maps_squeeze")
    x = conv_norm_relu(x, _CHANNELS, 3, "maps_mix1")
    x = conv_norm_relu(x, _CHANNELS, 3, "maps_mix2")
    logits = layers.Conv2D(species, 1, name="hires_maps")(x)  # (B, h, w, S)
    shares = layers.Softmax(name="maps_cells")(logits)
    spread = layers.GlobalAveragePooling2D(name="maps_mean")(shares)  # (B, S)
    smooth = layers.AveragePooling2D(3, strides=1, padding="same", name="maps_smooth")(shares)
    peak = layers.GlobalMaxPooling2D(name="maps_peak")(smooth)
    mean = layers.GlobalAveragePooling2D(name="maps_gap")(logits)
    evidence = ops.concatenate([ops.log(spread + 1e-3), ops.log(peak + 1e-2), mean / 4.0], axis=-1)
    answer = layers.Dense(species, activation="softmax", kernel_initializer="zeros", name="heatmap_species")
    return {"heatmap": logits, "heatmap_species": answer(evidence)}


def _first_box(shares: Any, grid: Any) -> tuple[Any, Any]:
    """Return the box that the spread of the shares would fill, (B, 4) input pixels, and half its sides, (B, 2).

    shares: (B, h * w), sums to 1. grid: (B, h, w, 1), for its size only.
    An even spread over a side of length L has a deviation of L / sqrt(12): half the side is sqrt(3) deviations.
    Source: Nibali et al. 2018, "Numerical coordinate regression", section 3.
    """
    from worker.models.keras_import import keras

    ops, unit = keras.ops, HEADS_STRIDE_PX / _PLACE_UNIT_PX
    ones = ops.ones_like(grid)
    across, down = (ops.cumsum(ones, axis=2) - 0.5) * unit, (ops.cumsum(ones, axis=1) - 0.5) * unit
    spots = ops.concatenate([across, down, across * across, down * down], axis=-1)  # (B, h, w, 4)
    cells = keras.layers.Reshape((-1, 4), name="box_spots")(spots)
    moments = ops.sum(ops.expand_dims(shares, -1) * cells, axis=1)  # (B, 4)
    mean, square = moments[:, :2], moments[:, 2:]
    half = 3.0**0.5 * ops.sqrt(ops.relu(square - mean * mean) + 1e-4)
    return ops.concatenate([mean - half, mean + half], axis=-1) * _PLACE_UNIT_PX, half * _PLACE_UNIT_PX
