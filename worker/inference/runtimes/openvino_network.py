"""A network that OpenVINO runs: float32, bfloat16, or int8 that was calibrated on the project's own images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino

from db.domain.runtimes import Runtime
from db.whole_files import move_whole
from worker.inference.runtimes.network import SINGLE_OUTPUT, Batch, Given, Outputs, RuntimeMissing

if TYPE_CHECKING:
    import keras

Shapes = tuple[tuple[int, ...], ...]
"""One batch shape an input."""
# int8 graphs keep what was not quantised in float32: bfloat16 beside int8 was no faster and lost more.
_PRECISION = {Runtime.OPENVINO: "f32", Runtime.OPENVINO_BF16: "bf16", Runtime.OPENVINO_INT8: "f32"}


class OpenVinoNetwork:
    """One compiled graph for each batch shape, converted once and kept in `prepared`.

    Raises:
        RuntimeMissing: int8 is asked for, and no calibrated graph is kept there.
    """

    def __init__(self, model: keras.Model, runtime: Runtime, *, prepared: Path) -> None:
        self.runtime = runtime
        self._model = model
        self._prepared = prepared
        self._core = openvino.Core()
        self._compiled: dict[Shapes, Any] = {}
        if runtime is Runtime.OPENVINO_INT8 and not list(prepared.glob("int8-*.xml")):
            raise RuntimeMissing(f"runtime {runtime}: not calibrated for this model here; cli models optimise does it")

    def __call__(self, batch: Given) -> Outputs:
        """Return every output by name, float32."""
        given = [batch] if isinstance(batch, np.ndarray) else list(batch)
        shapes = tuple(one.shape for one in given)
        compiled = self._compiled.get(shapes) or self._compile(shapes)
        results = compiled(given)
        return {_name_of(port): np.array(results[port], dtype=np.float32) for port in compiled.outputs}

    def _compile(self, shapes: Shapes) -> Any:
        kind = "int8" if self.runtime is Runtime.OPENVINO_INT8 else "float"
        file = graph_file(self._prepared, kind, *shapes)
        if file.exists():
            graph = self._core.read_model(file)
        elif kind == "int8":
            raise RuntimeMissing(f"runtime {self.runtime}: not calibrated for images of {shapes[0][1]}x{shapes[0][2]}")
        else:
            graph = convert(self._model, *shapes)
            keep_graph(graph, file)
        hints = {"INFERENCE_PRECISION_HINT": _PRECISION[self.runtime], "PERFORMANCE_HINT": "LATENCY"}
        self._compiled[shapes] = self._core.compile_model(graph, "CPU", hints)
        return self._compiled[shapes]


def _name_of(port: Any) -> str:
    """Return Keras's name of an output: the one without TensorFlow's scopes."""
    return next((name for name in sorted(port.get_names()) if "/" not in name and ":" not in name), SINGLE_OUTPUT)


def graph_file(prepared: Path, kind: str, *shapes: Sequence[int]) -> Path:
    """Return where a converted graph of a batch shape, one an input, is kept."""
    return prepared / f"{kind}-{'_'.join('x'.join(str(side) for side in shape) for shape in shapes)}.xml"


def convert(model: keras.Model, *shapes: tuple[int, ...]) -> openvino.Model:
    """Return a Keras model as a graph of one batch shape. shapes: one an input."""
    import tensorflow as tf

    def call(*given: Any) -> Any:
        outputs = model(given[0] if len(given) == 1 else list(given), training=False)
        return outputs if isinstance(outputs, dict) else {SINGLE_OUTPUT: outputs}

    signature = [tf.TensorSpec(shape, one.dtype) for shape, one in zip(shapes, model.inputs, strict=True)]
    traced = tf.function(call, input_signature=signature, autograph=False)
    return openvino.convert_model(traced.get_concrete_function())


def calibrate_int8(model: keras.Model, batches: Iterable[Batch], *, prepared: Path) -> None:
    """Quantise the model's graph to int8 by what these images do inside it, and keep it. batches: of one shape.

    Source: NNCF's post-training quantisation (https://github.com/openvinotoolkit/nncf).
    Raises:
        RuntimeMissing: NNCF is not installed, or there are no images.
    """
    try:
        import nncf
    except ImportError as error:
        raise RuntimeMissing(f"int8 needs {error.name}; install the extra openvino") from None
    held = list(batches)
    if not held:
        raise RuntimeMissing("int8 needs images to calibrate on, found none")
    shape = held[0].shape
    quantised = nncf.quantize(convert(model, shape), nncf.Dataset(held), subset_size=len(held))
    keep_graph(quantised, graph_file(prepared, "int8", shape))


def keep_graph(graph: openvino.Model, file: Path) -> None:
    """Keep a graph whole: weights first, since a reader takes the graph's file as the sign that both are there."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{os.getpid()}-{file.name}")
    openvino.save_model(graph, draft, compress_to_fp16=False)
    move_whole(draft.with_suffix(".bin"), file.with_suffix(".bin"), synced=False)
    move_whole(draft, file, synced=False)  # not synced: it can be converted again
