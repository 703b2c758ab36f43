"""Builds a trunk with three outputs, its features at strides 8, 16 and 32, for images of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.models.errors import UnknownNetwork
from worker.models.trunks import IMAGENET, block_of, load_trunk_weights, trunk_spec, whole_network

if TYPE_CHECKING:
    import keras

STRIDES = (8, 16, 32)


def build_trunk_levels(name: str, *, weights: str | Path = IMAGENET) -> keras.Model:
    """Return a frozen model from images (B, H, W, 3) uint8 to features (B, H/8, W/8, C8), then of strides 16 and 32.

    H and W: any multiples of 32. weights: as for `build_trunk`.
    Raises:
        UnknownNetwork: no such trunk, or it lacks one of the strides. WeightsError: the weights cannot be had.
    """
    from worker.models.keras_import import keras

    spec = trunk_spec(name)
    inputs = keras.Input((None, None, 3), dtype="uint8", name="images")
    whole = whole_network(spec, inputs, weights)
    levels = [whole.get_layer(layer).output for layer in level_layers(whole)]
    trunk = keras.Model(inputs, levels, name="trunk_levels")
    load_trunk_weights(spec, whole, trunk, weights)
    trunk.trainable = False
    return trunk


def level_layers(whole: Any) -> tuple[str, ...]:
    """Return the layer to take for each stride: where the last block ends that keeps it.

    A block that strides begins with wide layers at the stride before; its own end tells what it is. Pooling that ends a
    block (as VGG16's) adds nothing; it counts only where no block ends at a stride.
    Raises:
        UnknownNetwork: the network has no layer of one of the strides.
    """
    strides = layer_strides(whole)
    ends = {block_of(layer.name): layer.name for layer in whole.layers if _ends_block(layer)}
    return tuple(_last_of_stride(stride, [*ends.values()], strides) for stride in STRIDES)


def layer_strides(whole: Any) -> dict[str, int]:
    """Return how many input pixels lie between two cells of each layer's output, by the layer's name."""
    found: dict[str, int] = {}
    for layer in whole.layers:  # in the order of the graph
        before = [found[name] for name in _inputs_of(layer) if name in found]
        found[layer.name] = max(before, default=1) * _own_stride(layer)
    return found


def _last_of_stride(stride: int, ends: list[str], strides: dict[str, int]) -> str:
    fitting = [name for name in ends if strides[name] == stride]
    fitting = fitting or [name for name, own in strides.items() if own == stride]
    if not fitting:
        raise UnknownNetwork(f"the trunk has no layer of stride {stride} (it has {sorted(set(strides.values()))})")
    return fitting[-1]


def _ends_block(layer: Any) -> bool:
    return block_of(layer.name) is not None and not layer.name.endswith("_pool")


def _inputs_of(layer: Any) -> list[str]:
    tensors = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation.name for tensor in tensors]


def _own_stride(layer: Any) -> int:
    strides = getattr(layer, "strides", 1)
    return int(strides[0] if isinstance(strides, tuple | list) else strides or 1)
