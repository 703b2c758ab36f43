"""The centre head: one heat map of fish centres, whatever their species, and the sides of the fish around each cell."""

from __future__ import annotations

from typing import Any

from worker.models.fish_neck import NECK_CHANNELS, conv_norm_relu

CENTRE_STRIDE_PX = 8
# A first guess of a cell's distance to each side, input pixels: fish are shown at about 68 pixels.
_SIDES_UNIT_PX = 40.0
# The heat begins at 0.018 everywhere: fish centres are rare, and the first steps would go to unlearning more.
_HEAT_BIAS = -4.0
_SIDES_BIAS = 0.5


def centre_outputs(neck: Any) -> dict[str, Any]:
    """Return `centres` (B, h, w, 1) logits and `ltrb_offsets` (B, h, w, 4): left, top, right, bottom in input pixels.

    neck: (B, h, w, C) at stride 8. One class: on a boat never seen, where a fish lies is learnt from every species.
    Sources: Zhou et al. 2019 ("Objects as points"); Tian et al. 2019 (FCOS), section 3.1; Lin et al. 2017 (the bias).
    """
    from worker.models.keras_import import keras

    layers, x = keras.layers, neck
    for place in (1, 2):
        x = conv_norm_relu(x, NECK_CHANNELS, 3, f"centre_mix{place}")
    bias = keras.initializers.Constant
    heat = layers.Conv2D(1, 1, bias_initializer=bias(_HEAT_BIAS), name="centres")(x)
    sides = layers.Conv2D(4, 1, bias_initializer=bias(_SIDES_BIAS), name="centre_sides")(x)
    sides = layers.Activation("softplus", name="centre_sides_positive")(sides)
    return {
        "centres": heat,
        "ltrb_offsets": layers.Rescaling(_SIDES_UNIT_PX, dtype="float32", name="ltrb_offsets")(sides),
    }
