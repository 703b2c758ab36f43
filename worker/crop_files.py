"""Writes the crops of a prediction into HOME; a crop is named by content, model and number: writing is repeatable."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from db.domain.predictions import Prediction
from db.settings import Settings
from worker.image_files import Picture
from worker.vision.crops import crop_box

_QUALITY = 90


def write_crops(
    picture: Picture, prediction: Prediction, *, sha256: str, model_version: str, settings: Settings
) -> tuple[str, ...]:
    """Return the crop file of every detection, relative to HOME.

    Raises:
        OSError: the disk is full or cannot be written; no torn crop is left.
    """
    folder = settings.crops_dir / sha256[:2]
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, found in enumerate(prediction.detections):
        pixels = crop_box(picture.pixels, found.box, width_px=picture.width_px, height_px=picture.height_px)
        file = folder / f"{sha256}-{model_version}-{number}.jpg"
        _write_jpeg(pixels, file)
        files.append(str(file.relative_to(settings.home)))
    return tuple(files)


def _write_jpeg(pixels: npt.NDArray[np.uint8], file: Path) -> None:
    # Encoded first, then renamed: a death leaves no torn crop, and writing it again changes nothing.
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    temporary = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
