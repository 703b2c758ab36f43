"""Writes the crops of a prediction; each is named by content, model and number, so that writing is repeatable."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from db.domain.boxes import Box
from db.domain.predictions import Prediction
from db.settings import Settings
from worker.images.decode import DecodedImage
from worker.storage.artifacts import put_artifact
from worker.vision.crops import crop_box

_QUALITY = 90


def write_crops(
    image: DecodedImage, prediction: Prediction, *, sha256: str, model_version: str, settings: Settings
) -> tuple[str, ...]:
    """Return the crop file of every detection, as artifacts are named.

    Raises:
        OSError: the disk is full or cannot be written; no torn crop is left. StoreUnreachable: the artifacts' store.
    """
    files = []
    for number, found in enumerate(prediction.detections):
        name = f"crops/{sha256[:2]}/{sha256}-{model_version}-{number}.jpg"
        put_artifact(settings, name, cut_crop(image, found.box))
        files.append(name)
    return tuple(files)


def cut_crop(image: DecodedImage, box: Box) -> bytes:
    """Return the crop of one box of an image, as a JPEG. box: xyxy, pixels of the upright original."""
    return _jpeg(crop_box(image.pixels, box, width_px=image.width_px, height_px=image.height_px))


def _jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
