"""The losses of the centre head, for Keras: keras.ops only. Targets and weights come stacked on the last axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Loss = Callable[[Any, Any], Any]


def centre_loss() -> Loss:
    """Return the penalty-reduced focal loss of a batch, by its number of fish: alpha 2, beta 4.

    truth: (B, h, w, 2), the hills and what each cell counts; logits: (B, h, w, 1).
    Source: Law and Deng 2018 (CornerNet), section 3.2.
    """
    from worker.models.keras_import import keras

    ops = keras.ops

    def loss(truth: Any, logits: Any) -> Any:
        hills, counts, logit = truth[..., 0], truth[..., 1], logits[..., 0]
        p = ops.sigmoid(logit)
        on_fish = ops.cast(hills > 0.999, "float32")
        hit = -((1.0 - p) ** 2) * ops.log_sigmoid(logit)
        miss = -((1.0 - hills) ** 4) * p**2 * ops.log_sigmoid(-logit)
        every = counts * (on_fish * hit + (1.0 - on_fish) * miss)
        return ops.sum(every) / ops.maximum(ops.sum(counts * on_fish), 1.0)

    return loss


def sides_loss() -> Loss:
    """Return 1 - GIoU of the cells' boxes with their fish's, weighted by cell, by the number of fish.

    truth: (B, h, w, 5), the sides in input pixels and what each cell's box counts; sides: (B, h, w, 4).
    Both boxes hold the cell's centre, so their overlap is at hand. Sources: Yu et al. 2016 (UnitBox); Rezatofighi et
    al. 2019, section 3.
    """
    from worker.models.keras_import import keras

    ops = keras.ops

    def loss(truth: Any, sides: Any) -> Any:
        weights, truth = truth[..., 4], truth[..., :4]
        overlap, hull = _area(ops.minimum(truth, sides)), _area(ops.maximum(truth, sides))
        union = _area(truth) + _area(sides) - overlap
        giou = overlap / (union + 1e-6) - (hull - union) / (hull + 1e-6)
        return ops.sum((1.0 - giou) * weights) / ops.maximum(ops.sum(weights), 1.0)

    return loss


def _area(sides: Any) -> Any:
    return (sides[..., 0] + sides[..., 2]) * (sides[..., 1] + sides[..., 3])
