"""Tiny colour images, by which near-duplicates are told: of labelled images and of those a worker answers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from db.domain.duplicates import THUMBNAIL_HW


def thumbnail(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the mean colour of each cell of an image. pixels: (H, W, 3) RGB. Returns (9, 16, 3)."""
    rows, columns = THUMBNAIL_HW
    return np.asarray(Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BOX), dtype=np.uint8)
