"""Cuts a detector's graph where its trunk ends, so that heads can answer from features that were kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.models.errors import UnknownNetwork
from worker.models.names import DetectorKind
from worker.models.trunks import trunk_spec

if TYPE_CHECKING:
    import keras

_LEVEL = "level"
_CENTRE_LEVELS = ("centre_even0", "centre_even1", "centre_even2")


def trunk_ends(model: keras.Model, *, kind: str, trunk: str, layer: str) -> list[Any]:
    """Return the tensors between a detector's trunk and its heads. kind, trunk, layer: as its card has them.

    model: as it was saved, its batch norms not folded.
    Raises:
        UnknownNetwork: the graph is not of this kind.
    """
    try:
        if kind == DetectorKind.CENTRE:
            return [model.get_layer(name).input for name in _CENTRE_LEVELS]
        return [model.get_layer(layer or trunk_spec(trunk).layer).output]
    except ValueError as error:
        raise UnknownNetwork(f"a {kind} whose trunk has no known end ({error})") from error


def trunk_alone(model: keras.Model, ends: Sequence[Any]) -> keras.Model:
    """Return what gives an image's features: the detector's input to {level0, level1, ...}, the ends in their order."""
    from worker.models.keras_import import keras

    return keras.Model(
        model.input, {f"{_LEVEL}{place}": end for place, end in enumerate(ends)}, name=f"{model.name}_trunk"
    )


def heads_alone(model: keras.Model, ends: Sequence[Any]) -> keras.Model:
    """Return what answers from features alone: inputs are the trunk's ends in their order, outputs the detector's.

    Raises:
        UnknownNetwork: an output hangs on more than these features.
    """
    from worker.models.keras_import import keras

    try:
        return keras.Model(list(ends), model.output, name=f"{model.name}_heads")
    except ValueError as error:
        raise UnknownNetwork(f"heads that see more than the trunk's end ({error})") from error


def levels_of(outputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return a batch's features by level, (B, h, w, C) each, of what the trunk gave."""
    return tuple(outputs[f"{_LEVEL}{place}"] for place in range(len(outputs)))


def trunk_sha256(model: keras.Model, ends: Sequence[Any]) -> str:
    """Return what tells trunks apart: a hash of every layer and weight that the features depend on."""
    from worker.models.keras_import import keras

    digest = hashlib.sha256()
    for layer in keras.Model(model.input, list(ends)).layers:
        config = {name: value for name, value in layer.get_config().items() if name not in ("trainable", "batch_shape")}
        digest.update(json.dumps([type(layer).__name__, config], sort_keys=True, default=str).encode())
        for weight in layer.get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
