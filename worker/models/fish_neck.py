"""The neck of the centre detector: features of three strides become one map of stride 8, from the deepest down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NECK_CHANNELS = 64
_GROUPS = 8


def even_levels(levels: Sequence[Any], deviations: Sequence[Sequence[float]], *, prefix: str) -> list[Any]:
    """Return the levels, each channel divided by its deviation over training images.

    A trunk's channels differ in size by orders of magnitude; what is learnt on few images must not begin with that.
    levels: (B, h, w, C). deviations: C figures a level, above 0.
    """
    from worker.models.keras_import import keras

    return [
        keras.layers.Rescaling([1.0 / one for one in own], name=f"{prefix}_even{place}")(level)
        for place, (level, own) in enumerate(zip(levels, deviations, strict=True))
    ]


def fish_neck(levels: Sequence[Any], *, prefix: str = "neck") -> Any:
    """Return one map at the first level's grid, (B, H/8, W/8, 64).

    levels: (B, H/8, W/8, C8), then of strides 16 and 32. Whole channels are dropped in training, so that no few of them
    decide what a fish is. Source: Lin et al. 2017 (feature pyramids), section 3, with one output.
    """
    from worker.models.keras_import import keras

    layers = keras.layers
    dropped = [layers.SpatialDropout2D(0.1, name=f"{prefix}_drop{place}")(x) for place, x in enumerate(levels)]
    narrow = [layers.Conv2D(NECK_CHANNELS, 1, name=f"{prefix}_narrow{place}")(x) for place, x in enumerate(dropped)]
    x = narrow[-1]
    for place in reversed(range(len(narrow) - 1)):
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{prefix}_up{place}")(x)
        x = layers.Add(name=f"{prefix}_sum{place}")([narrow[place], x])
    return norm_relu(x, f"{prefix}_sum")


def conv_norm_relu(x: Any, filters: int, kernel: int, name: str) -> Any:
    """Return a convolution, group norm and ReLU of a map: what a head learns does not hang on a batch's few cameras."""
    from worker.models.keras_import import keras

    x = keras.layers.Conv2D(filters, kernel, padding="same", use_bias=False, name=f"{name}_conv")(x)
    return norm_relu(x, name)


def norm_relu(x: Any, name: str) -> Any:
    """Return the ReLU of a map's group norm. Source: Wu and He 2018."""
    from worker.models.keras_import import keras

    x = keras.layers.GroupNormalization(_GROUPS, epsilon=1e-5, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
