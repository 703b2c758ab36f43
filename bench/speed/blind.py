"""A worker process that looks at nothing: no file is read, no network called, but every row is stored."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from db.domain.boxes import Box
from db.domain.jobs import ClaimedItem
from db.domain.outcomes import ItemOutcome, NewPrediction, SeenImage
from db.domain.predictions import Agreement, Detection, Head, Prediction
from db.domain.species import DEFAULT_LABEL_SET
from db.settings import Settings
from worker.images.decode import DecodedImage
from worker.images.errors import ImageFile
from worker.inference.load_image import HashedFile, LoadedImage
from worker.inference.raw_outputs import RawOutputs
from worker.run_worker import main, serve_infer
from worker.vision.heatmaps import pack_heatmap
from worker.vision.letterbox import fit_letterbox

_HW = (360, 640)
_PARAMETERS = "blind"


class BlindInference:
    """Says the same of every image; a content is told by its path."""

    def __init__(self, settings: Settings, model_version: str) -> None:
        self.model_version = model_version
        self.network_batch = settings.network_batch
        self._prediction = _some_prediction()
        self._heatmap = pack_heatmap(self._prediction.heatmap)
        nothing = np.zeros((1, 1, 3), dtype=np.uint8)
        self._image = DecodedImage(nothing, 1280, 720, None)
        self._letterbox = fit_letterbox(width_px=1280, height_px=720, into_hw=_HW)
        empty = np.zeros((0,), dtype=np.float32)
        self._raw = RawOutputs(box=empty, box_species=empty, heatmap=empty, heatmap_species=empty)

    def parameters_of(self, item: ClaimedItem) -> str:
        """Return the same for every item."""
        return _PARAMETERS

    def estimate_fish_px(
        self, items: Sequence[ClaimedItem], root: bytes, *, check: Callable[[], None] = lambda: None
    ) -> float | None:
        """Return none: nothing is looked at."""
        return None

    def read(self, item: ClaimedItem, root: bytes) -> HashedFile | ItemOutcome:
        """Return a hash of the path."""
        return HashedFile(item, ImageFile(b"", hashlib.sha256(item.path).hexdigest()), None)

    def decode(self, file: HashedFile, root: bytes) -> LoadedImage | ItemOutcome:
        """Return no image."""
        image = SeenImage(file.sha256, 1280, 720, "2026-01-01T00:00:00")
        return LoadedImage(file.item, image, self._image, self._image.pixels, self._letterbox)

    def predict(self, images: Sequence[LoadedImage]) -> RawOutputs:
        """Return nothing."""
        return self._raw

    def finish(self, images: Sequence[LoadedImage], raw: RawOutputs, *, each_ms: float) -> list[ItemOutcome]:
        """Return one prediction with two detections an image."""
        return [
            ItemOutcome(
                one.item.item_id,
                one.item.file_id,
                image=one.image,
                prediction=self._new(one.image.sha256),
                parameters=_PARAMETERS,
            )
            for one in images
        ]

    def _new(self, sha256: str) -> NewPrediction:
        files = tuple(f"crops/{sha256[:2]}/{sha256}-{self.model_version}-{number}.jpg" for number in range(2))
        return NewPrediction(self._prediction, "ALB", self._heatmap, files, 0.0)


def load_blind(settings: Settings, model_version: str, sha256: str) -> BlindInference:
    """Return the inference that looks at nothing, whatever model is asked for."""
    return BlindInference(settings, model_version)


def _some_prediction() -> Prediction:
    species = len(DEFAULT_LABEL_SET.names)
    flat = tuple([1.0 / species] * species)
    box = Box(100.0, 100.0, 400.0, 300.0)
    return Prediction(
        width_px=1280,
        height_px=720,
        box_probabilities=flat,
        heatmap_probabilities=flat,
        detections=(Detection(box, "ALB", 0.9, Head.BOX_SPECIES), Detection(box, "ALB", 0.8, Head.HEATMAP)),
        agreement=Agreement(0.8, 0.7, 0.1, 0.3, 0.3, 0.9, 0.8, 1),
        heatmap=_spot((23, 40, species)),
        frame=(0.0, 0.0, 40.0, 22.5),
    )


def _spot(shape: tuple[int, int, int]) -> np.ndarray:
    """One blurred fish: as compressible as a real heat map."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    spot = np.exp(-((rows - 11) ** 2 / 18 + (columns - 20) ** 2 / 50))
    return np.stack([spot, *[np.full_like(spot, 0.02)] * (shape[2] - 1)], axis=-1).astype(np.float16)


if __name__ == "__main__":
    main(sys.argv[1], partial(serve_infer, load=load_blind))
