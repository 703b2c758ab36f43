"""A detector that also gives its trunk's features of each image, and answers from them alone."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.model_versions import ModelCard
from db.domain.runtimes import Runtime
from worker.inference.detector import BATCH_SIZE, Detector
from worker.inference.fixed_batch import Outputs, in_fixed_batches
from worker.inference.raw_outputs import Images, RawOutputs
from worker.inference.runtimes.choices import machine_kind
from worker.inference.runtimes.compile import BY_KERAS, ServedBy, compile_network
from worker.models.feature_cut import heads_alone, levels_of, trunk_alone, trunk_ends, trunk_sha256
from worker.storage.kept_features import Floats, ImageFeatures, kept_key

# What computes features, decodes and fits images: another version of one may give other bits.
_LIBRARIES = ("keras", "tensorflow", "tensorflow-cpu", "openvino", "pillow", "numpy")


class RecordingDetector(Detector):
    """Trunk and heads as two networks, whether features are new or kept: an answer never hangs on which.

    Against the whole graph of `Detector` that is the same in float32; OpenVINO joins other operations and rounds the
    last bits otherwise (a box by less than a thousandth of a pixel).
    """

    def __init__(
        self, card: ModelCard, model: Any, *, batch_size: int = BATCH_SIZE, served: ServedBy = BY_KERAS
    ) -> None:
        """Cut the graph where its trunk ends.

        Raises:
            UnknownNetwork: it cannot be cut. RuntimeMissing: the runtime is not there for this model.
        """
        from worker.models.detector import fold_batch_norms

        ends = trunk_ends(model, kind=card.kind, trunk=card.trunk, layer=card.layer)
        heads = fold_batch_norms(heads_alone(model, ends))
        beside = replace(served, prepared=served.prepared / "trunk")
        super().__init__(card, trunk_alone(model, ends), batch_size=batch_size, served=beside)
        self._heads = compile_network(heads, served.runtime, prepared=served.prepared / "heads")
        installed = [f"{name} {_version(name)}" for name in _LIBRARIES]
        self._depends_on = (trunk_sha256(model, ends), machine_kind(), platform.python_version(), *installed)

    @property
    def runtime(self) -> Runtime:
        """What runs both networks; Keras where one of them had to fall back to it."""
        return self._network.runtime if self.answers_from_features else Runtime.KERAS

    @property
    def answers_from_features(self) -> bool:
        """Whether features speak for images: not once one of both networks had to fall back to another runtime."""
        return self._heads.runtime is self._network.runtime

    def key(self, input_hw: tuple[int, int]) -> str:
        """Return what features of this input depend on besides the image, in a short name."""
        return kept_key(*self._depends_on, str(self.runtime), "x".join(map(str, (self._batches[input_hw], *input_hw))))

    def predict(self, batch: Images, *, once: bool = False) -> RawOutputs:
        """Return the outputs of any number of images, as `Detector` does."""
        input_hw = (batch.shape[1], batch.shape[2])
        views = [levels_of(view) for view in self._seen(batch, once=once)]
        return self._answered([self._by_heads(levels, input_hw) for levels in views])

    def see(self, batch: Images) -> RawOutputs:
        """Return the answers to any number of images of one input size, with each image's features."""
        views = [levels_of(view) for view in self._seen(batch, once=False)]
        each = tuple(tuple(tuple(level[row] for level in levels) for levels in views) for row in range(len(batch)))
        return replace(self.answer(each, (batch.shape[1], batch.shape[2])), features=each)

    def answer(self, features: Sequence[ImageFeatures], input_hw: tuple[int, int]) -> RawOutputs:
        """Return the answers to images of one input size by their features alone."""
        views = zip(*features, strict=True)  # of each view all images
        levels = [[np.stack(level) for level in zip(*images, strict=True)] for images in views]
        return self._answered([self._by_heads(of_view, input_hw) for of_view in levels])

    def _by_heads(self, levels: Sequence[Floats], input_hw: tuple[int, int]) -> Outputs:
        """Return what the heads say of all images by their features, (B, h, w, C) a level."""

        def call(rows: npt.NDArray[np.intp]) -> Mapping[str, Any]:
            with self._one_call:
                return self._heads([level[rows] for level in levels])

        return in_fixed_batches(call, np.arange(len(levels[0])), size=self._batches[input_hw])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
