"""A network that Keras runs on its TensorFlow backend: float32, or bfloat16 inside with float32 outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from db.domain.runtimes import Runtime
from worker.inference.runtimes.network import SINGLE_OUTPUT, Given, Outputs

if TYPE_CHECKING:
    import keras


class KerasNetwork:
    """Traced once for each batch shape. runtime: KERAS or KERAS_BF16."""

    def __init__(self, model: keras.Model, *, runtime: Runtime = Runtime.KERAS) -> None:
        import tensorflow as tf

        self.runtime = runtime
        self._model = in_bfloat16(model) if runtime is Runtime.KERAS_BF16 else model
        self._call = tf.function(lambda x: self._model(x, training=False), autograph=False)

    def __call__(self, batch: Given) -> Outputs:
        """Return every output by name, float32."""
        return named(self._call(batch))


def named(outputs: Any) -> Outputs:
    """Return the outputs of a Keras call by name."""
    by_name = outputs if isinstance(outputs, dict) else {SINGLE_OUTPUT: outputs}
    return {name: np.array(value, dtype=np.float32) for name, value in by_name.items()}


def in_bfloat16(model: keras.Model) -> keras.Model:
    """Return the model with layers that compute in bfloat16 on float32 weights.

    Layers that were told float32 by name (those that give pixels or distributions) keep it.
    """
    from worker.models.keras_import import keras

    def lowered(layer: Any) -> Any:
        config = layer.get_config()
        policy = config.get("dtype")
        default = isinstance(policy, dict) and policy.get("config", {}).get("name") == "float32"
        keeps = isinstance(layer, keras.layers.InputLayer | keras.layers.Rescaling | keras.layers.Softmax)
        if default and not keeps and getattr(layer, "activation", None) is not keras.activations.softmax:
            config["dtype"] = "mixed_bfloat16"
        return layer.__class__.from_config(config)

    copy = keras.models.clone_model(model, clone_function=lowered)
    copy.set_weights(model.get_weights())
    return copy
