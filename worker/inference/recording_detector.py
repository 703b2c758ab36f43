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
from worker.inference.detector import BATCH_SIZE, Detector
from worker.inference.fixed_batch import Outputs, in_fixed_batches
from worker.inference.raw_outputs import Images, RawOutputs
from worker.inference.runtimes.choices import machine_kind
from worker.inference.runtimes.compile import BY_KERAS, ServedBy, compile_network
from worker.models.feature_cut import heads_alone, taken_features, trunk_ends, trunk_sha256, with_features
from worker.storage.kept_features import Floats, ImageFeatures, kept_key

# What computes features, decodes and fits images: another version of one may give other bits.
_LIBRARIES = ("keras", "tensorflow", "tensorflow-cpu", "openvino", "pillow", "numpy")


class RecordingDetector(Detector):
    """The answers are bit for bit those of `Detector` in the same runtime, whether from images or from features."""

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
        self._trunk = trunk_sha256(model, ends)
        beside = replace(served, prepared=served.prepared / "recording")
        super().__init__(card, with_features(model, ends), batch_size=batch_size, served=beside)
        self._heads = compile_network(heads, served.runtime, prepared=served.prepared / "heads")
        installed = [f"{name} {_version(name)}" for name in _LIBRARIES]
        self._depends_on = (self._trunk, machine_kind(), platform.python_version(), *installed)

    @property
    def answers_from_features(self) -> bool:
        """Whether features speak for images: not once one of both networks had to fall back to another runtime."""
        return self._heads.runtime is self.runtime

    def key(self, input_hw: tuple[int, int]) -> str:
        """Return what features of this input depend on besides the image, in a short name."""
        return kept_key(*self._depends_on, str(self.runtime), "x".join(map(str, (self._batches[input_hw], *input_hw))))

    def see(self, batch: Images) -> RawOutputs:
        """Return the answers to any number of images of one input size, with each image's features."""
        answers, features = zip(*map(taken_features, self._seen(batch, once=False)), strict=True)
        each = tuple(tuple(tuple(level[row] for level in view) for view in features) for row in range(len(batch)))
        return replace(super()._answered(answers), features=each)

    def answer(self, features: Sequence[ImageFeatures], input_hw: tuple[int, int]) -> RawOutputs:
        """Return the answers to images of one input size by their features alone."""
        views = zip(*features, strict=True)  # of each view all images
        return self._answered([self._by_heads(view, input_hw) for view in views])

    def _by_heads(self, images: Sequence[tuple[Floats, ...]], input_hw: tuple[int, int]) -> Outputs:
        levels = [np.stack(level) for level in zip(*images, strict=True)]

        def call(rows: npt.NDArray[np.intp]) -> Mapping[str, Any]:
            with self._one_call:
                return self._heads([level[rows] for level in levels])

        return in_fixed_batches(call, np.arange(len(images)), size=self._batches[input_hw])

    def _answered(self, views: Sequence[Outputs]) -> RawOutputs:
        return super()._answered([taken_features(view)[0] for view in views])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
