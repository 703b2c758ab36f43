"""What a worker remembers of images by their features: asked before an image is decoded, told after it was seen."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from db.domain.frames import is_frame
from db.domain.runtimes import Runtime
from db.settings import Settings
from worker.inference.load_image import HashedFile, ImageLoader, LoadedImage
from worker.inference.raw_outputs import RawOutputs
from worker.inference.recording_detector import RecordingDetector
from worker.storage.kept_features import KeptFeatures, KeptImage, kept_folder

_log = logging.getLogger("taffrail.worker")


class FeatureMemory:
    """The kept features of one detector's trunk."""

    def __init__(self, detector: RecordingDetector, settings: Settings) -> None:
        self._detector = detector
        self._store = KeptFeatures(kept_folder(settings.home), limit_mib=settings.kept_features_mib)
        self._max_pixels = settings.max_pixels

    def loaded(self, file: HashedFile, loader: ImageLoader, input_hw: tuple[int, int]) -> LoadedImage | None:
        """Return the image ready for the heads; None where its features are not kept."""
        if not self._detector.answers_from_features or not _can_be_kept(file):
            return None
        found = self._store.find(self._detector.key(input_hw), file.sha256)
        if found is None or found[0].width_px * found[0].height_px > self._max_pixels:
            return None
        return loader.from_kept(file, *found, input_hw)

    def predict(self, images: Sequence[LoadedImage]) -> RawOutputs:
        """Return the answers to images that all have features, or all have none."""
        features = [image.features for image in images if image.features is not None]
        if features:
            return self._detector.answer(features, images[0].letterbox.input_hw)
        return self._detector.see(np.stack([image.canvas for image in images]))

    def keep(self, images: Sequence[LoadedImage], raw: RawOutputs) -> None:
        """Keep the features that the network just gave of these images."""
        if raw.features is None or not self._detector.answers_from_features:
            return
        for loaded, features in zip(images, raw.features, strict=True):
            if is_frame(loaded.item.path):
                continue
            fitted = loaded.letterbox
            kept = KeptImage(
                width_px=fitted.width_px,
                height_px=fitted.height_px,
                captured_at=loaded.decoded.captured_at,
                note=loaded.decoded.note,
                thumbnail=(loaded.image.thumbnail or b"").hex(),
                letterbox=(*fitted.fitted_hw, fitted.pad_x, fitted.pad_y),
                shapes=tuple(tuple(level.shape for level in view) for view in features),
            )
            self._store.keep(self._detector.key(fitted.input_hw), loaded.image.sha256, kept, features)


def keeps_features(settings: Settings, runtime: Runtime) -> bool:
    """Return whether a detector in this runtime is to be cut where its trunk ends."""
    if not settings.kept_features_mib:
        return False
    if runtime is Runtime.OPENVINO_INT8:  # its graph was calibrated whole
        _log.warning("runtime %s: features are not kept, its graph cannot be cut", runtime)
        return False
    return True


def _can_be_kept(file: HashedFile) -> bool:
    """A frame's bitmap must not wait for its crops, and what is read twice may differ."""
    return file.content is not None and not is_frame(file.item.path)
