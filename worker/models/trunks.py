"""Builds a trunk: uint8 images in, one feature map out; the preprocessing is part of the graph."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.models.efficientnet_lite import build_efficientnet_lite, load_lite_weights, packaged_weights_file
from worker.models.errors import ModelFileError, UnknownNetwork, WeightsError
from worker.models.names import TRUNKS, Preprocessing, TrunkSpec
from worker.models.unpacked_size import check_unpacked_size

if TYPE_CHECKING:
    import keras

IMAGENET = "imagenet"
RANDOM = "random"
_CAFFE_MEANS_BGR = [103.939, 116.779, 123.68]


def trunk_spec(name: str) -> TrunkSpec:
    """Return what is known of a trunk.

    Raises:
        UnknownNetwork: no trunk has this name.
    """
    if name not in TRUNKS:
        raise UnknownNetwork(f"{name!r} is not a trunk (known: {', '.join(TRUNKS)})")
    return TRUNKS[name]


def build_trunk(
    name: str, *, input_hw: tuple[int, int], weights: str | Path = IMAGENET, layer: str | None = None
) -> keras.Model:
    """Return a model from images to the features of one layer.

    weights: `imagenet`, `random`, or a file: of weights, or a `.keras` model of ours whose trunk may have been tuned.
    layer: where to cut; the trunk's own choice by default.
    Input (B, H, W, 3) RGB uint8 or float 0..255; output (B, h, w, C) float32.
    Raises:
        UnknownNetwork: no such trunk or layer. WeightsError: the weights cannot be had.
    """
    from worker.models.keras_import import keras

    spec = trunk_spec(name)
    inputs = keras.Input((*input_hw, 3), dtype="uint8", name="images")
    whole = whole_network(spec, inputs, weights)
    trunk = keras.Model(inputs, _layer_output(whole, layer or spec.layer, name), name="trunk")
    load_trunk_weights(spec, whole, trunk, weights)
    trunk.trainable = False
    return trunk


def trunk_tail(trunk: keras.Model, *, blocks: int) -> tuple[str, keras.Model]:
    """Return the layer that the trunk's last blocks start from, and those blocks as a model that shares their weights.

    Raises:
        UnknownNetwork: the trunk has not so many blocks after its first.
    """
    from worker.models.keras_import import keras

    names = list(dict.fromkeys(filter(None, (block_of(layer.name) for layer in trunk.layers))))
    if not 1 <= blocks < len(names):
        raise UnknownNetwork(f"{blocks} blocks: wanted 1 to {len(names) - 1} of {', '.join(names[1:])}")
    first = next(layer for layer in trunk.layers if block_of(layer.name) == names[-blocks])
    before = first.input._keras_history.operation
    return before.name, keras.Model(before.output, trunk.output, name="trunk_tail")


def block_of(layer: str) -> str | None:
    """Return the block that a layer belongs to, by the names of our graph and of keras.applications.

    >>> block_of("block10_expand_conv"), block_of("conv4_block6_1_bn"), block_of("block5c_add"), block_of("stem_bn")
    ('block10', 'conv4_block6', 'block5c', None)
    """
    found = re.match(r"(conv\d+_block\d+|block_?\d+[a-z]?)_", layer)
    return found.group(1) if found else None


def named_weights(text: str) -> str | Path:
    """Return weights as a person or a card names them: `imagenet`, `random`, or else a file."""
    return text if text in (IMAGENET, RANDOM) else Path(text)


def weights_key(name: str, weights: str | Path) -> str:
    """Return a short name for exactly these weights; features are cached under it.

    A file is named by its content, so an edited file never meets an old feature.
    """
    import hashlib

    if weights == IMAGENET and not trunk_spec(name).application:
        weights = packaged_weights_file(name)
    if str(weights) in (IMAGENET, RANDOM):
        return str(weights)
    try:
        return hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise WeightsError(f"{weights}: cannot be read ({error.strerror or error})") from error


def whole_network(spec: TrunkSpec, inputs: Any, weights: str | Path) -> Any:
    """Return the network down to its last feature map, on our input and preprocessing."""
    from worker.models.keras_import import keras

    x = _preprocess(spec.preprocessing, inputs)
    if not spec.application:
        return keras.Model(inputs, build_efficientnet_lite(spec.name, x, with_classifier=False))
    build = getattr(keras.applications, spec.application)
    try:
        return build(include_top=False, weights=IMAGENET if weights == IMAGENET else None, input_tensor=x)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise WeightsError(
            f"the ImageNet weights of {spec.name} cannot be downloaded ({error}); give a file with --weights"
        ) from error


def _preprocess(kind: Preprocessing, inputs: Any) -> Any:
    from worker.models.keras_import import keras

    layers = keras.layers
    if kind is Preprocessing.LITE:
        return layers.Rescaling(1 / 128, offset=-127 / 128, name="preprocess")(inputs)
    if kind is Preprocessing.MINUS_ONE_TO_ONE:
        return layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(inputs)
    x = layers.Rescaling(1.0, name="preprocess")(inputs)
    if kind is Preprocessing.NONE:
        return x
    x = keras.ops.flip(x, axis=-1)  # RGB to BGR
    return layers.Normalization(mean=_CAFFE_MEANS_BGR, variance=[1.0, 1.0, 1.0], name="subtract_means")(x)


def _layer_output(whole: Any, layer: str, trunk: str) -> Any:
    names = [known.name for known in whole.layers]
    if layer not in names:
        import difflib

        near = difflib.get_close_matches(layer, names, n=3, cutoff=0.3)
        raise UnknownNetwork(f"{trunk} has no layer {layer!r} (near: {', '.join(near) or 'none'})")
    output = whole.get_layer(layer).output
    if len(output.shape) != 4:
        raise UnknownNetwork(f"{trunk}'s layer {layer!r} gives {output.shape}, wanted a feature map (B, h, w, C)")
    return output


def load_trunk_weights(spec: TrunkSpec, whole: Any, trunk: Any, weights: str | Path) -> None:
    """Give a trunk, a part of this whole network, its weights.

    Raises:
        WeightsError: the file cannot be read or does not fit.
    """
    if weights == RANDOM or (weights == IMAGENET and spec.application):
        return
    if str(weights).endswith(".keras"):
        _load_from_model(trunk, Path(weights))
        return
    if not spec.application:
        load_lite_weights(trunk, packaged_weights_file(spec.name) if weights == IMAGENET else Path(weights))
        return
    try:
        check_unpacked_size(Path(weights))
        whole.load_weights(str(weights))
    except (OSError, ValueError, ModelFileError) as error:
        raise WeightsError(f"{weights}: does not fit {spec.name} ({error})") from error


def _load_from_model(trunk: Any, file: Path) -> None:
    from worker.models.keras_import import keras

    try:
        check_unpacked_size(file)
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
        for layer in trunk.layers:
            if layer.weights:
                layer.set_weights(model.get_layer(layer.name).get_weights())
    except Exception as error:  # Keras raises many kinds; all mean that this file has no such trunk
        raise WeightsError(f"{file}: no model with this trunk ({str(error).splitlines()[0][:200]})") from error
