"""Wires a trunk and the two heads into one detector (one trunk pass), and folds its batch norms for serving."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.models.errors import UnknownNetwork
from worker.models.heads import head_outputs
from worker.models.names import HeadName

if TYPE_CHECKING:
    import keras

OUTPUT_NAMES = ("box", "box_species", "heatmap", "heatmap_species", "ltrb_offsets")


def build_detector(trunk: keras.Model, box_head: keras.Model, heatmap_head: keras.Model) -> keras.Model:
    """Return one flat graph from images to both heads' outputs, with the heads' trained weights.

    Input (B, H, W, 3) uint8 RGB. Outputs by name: box (B, 4) xyxy in input pixels, box_species (B, S) and
    heatmap_species (B, S) probabilities, heatmap (B, h, w, S) logits; with `heatmap_hires` also ltrb_offsets (B, h,
    w, 4) input pixels.
    """
    from worker.models.keras_import import keras

    outputs = _outputs_of(trunk, (box_head, heatmap_head), input_hw=trunk.input_shape[1:3])
    outputs = {name: output for name, output in outputs.items() if name in OUTPUT_NAMES}
    detector = keras.Model(trunk.input, outputs, name="detector")
    for head in (box_head, heatmap_head):
        copy_weights(head, detector)
    return detector


def build_tunable(
    tail: keras.Model, box_head: keras.Model, heatmap_head: keras.Model, *, input_hw: tuple[int, int]
) -> keras.Model:
    """Return the trunk's last blocks and both heads as one graph to train, with every output of both heads.

    tail: from `trunk_tail`; its layers stay shared with the trunk. Its batch norms keep their statistics and scales:
    a batch of a few cameras would spoil what millions of images gave.
    """
    from worker.models.keras_import import keras

    for layer in tail.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    tunable = keras.Model(tail.input, _outputs_of(tail, (box_head, heatmap_head), input_hw=input_hw), name="tunable")
    for head in (box_head, heatmap_head):
        copy_weights(head, tunable)
    return tunable


def _outputs_of(trunk: Any, heads: tuple[Any, Any], *, input_hw: tuple[int, int]) -> dict[str, Any]:
    outputs: dict[str, Any] = {}
    for head in heads:
        species = int(species_output(head).shape[-1])
        outputs.update(head_outputs(HeadName(head.name), trunk.output, species=species, input_hw=input_hw))
    return outputs


def species_output(head: keras.Model) -> keras.KerasTensor:
    """Return the species distribution among a head's outputs, (B, S)."""
    return next(output for name, output in head.output.items() if name.endswith("species"))


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Give each layer of the target the weights of its namesake in the source, where there is one."""
    given = {layer.name: layer for layer in source.layers if layer.weights}
    for layer in target.layers:
        if layer.name in given:
            layer.set_weights(given[layer.name].get_weights())


def layer_output(model: keras.Model, layer: str, images: np.ndarray) -> np.ndarray:
    """Return what one named layer gives for some images, for looking inside.

    images: (B, H, W, 3) uint8.
    Raises:
        UnknownNetwork: no layer has this name; those most like it are named.
    """
    from worker.models.keras_import import keras

    names = [known.name for known in model.layers]
    if layer not in names:
        near = difflib.get_close_matches(layer, names, n=4, cutoff=0.3) or names[-4:]
        raise UnknownNetwork(f"no layer {layer!r} (near: {', '.join(near)})")
    part = keras.Model(model.inputs, model.get_layer(layer).output)
    return np.asarray(part.predict_on_batch(images))


def fold_batch_norms(model: keras.Model) -> keras.Model:
    """Return a model with the same outputs whose batch norms are folded into the convolutions before them.

    For serving only: a folded model cannot be trained further. A batch norm that follows no convolution stays.
    """
    from worker.models.keras_import import keras

    norm_after = _norm_after_conv(model)
    folded_norms = {norm.name for norm in norm_after.values()}

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in norm_after:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return args[0] if layer.name in folded_norms else layer(*args, **kwargs)

    folded = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in model.layers:
        if layer.name in norm_after:
            folded.get_layer(layer.name).set_weights(_folded_weights(layer, norm_after[layer.name]))
        elif layer.weights and layer.name not in folded_norms:
            folded.get_layer(layer.name).set_weights(layer.get_weights())
    folded.trainable = False
    return folded


def _norm_after_conv(model: Any) -> dict[str, Any]:
    """Return the batch norm to fold into each convolution or dense layer, by that layer's name."""
    from worker.models.keras_import import keras

    layers, found = keras.layers, {}
    in_model = {id(layer) for layer in model.layers}
    for norm in model.layers:
        if not isinstance(norm, layers.BatchNormalization):
            continue
        before = norm.input._keras_history.operation
        users = [node.operation for node in before._outbound_nodes if id(node.operation) in in_model]
        foldable = isinstance(before, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense)
        if foldable and before.activation is keras.activations.linear and len(users) == 1:
            found[before.name] = norm
    return found


def _folded_weights(layer: Any, norm: Any) -> list[np.ndarray]:
    """Return kernel and bias that do what the layer and its norm did: w * g, (b - mean) * g + beta."""
    kernel, *rest = layer.get_weights()
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    gain = (np.asarray(norm.gamma) if norm.scale else 1.0) / np.sqrt(variance + norm.epsilon)
    shift = np.asarray(norm.beta) if norm.center else np.zeros_like(mean)
    bias = rest[0] if rest else np.zeros_like(mean)
    # A depthwise kernel is (rows, columns, in, 1): its output axis is the third.
    shaped = gain[:, None] if kernel.ndim == 4 and kernel.shape[-1] == 1 and gain.size == kernel.shape[2] else gain
    return [kernel * shaped, (bias - mean) * gain + shift]
