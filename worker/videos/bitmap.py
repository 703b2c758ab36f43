"""A frame as an image file: the bytes of a bitmap, the same wherever the frame is decoded; their hash names it."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

_HEADER_BYTES = 54


def bitmap(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a BMP file of upright pixels. pixels: (H, W, 3) uint8, blue, green, red.

    Rows from the top, which a negative height tells; each is filled up to a multiple of four bytes.

    >>> len(bitmap(np.zeros((2, 3, 3), np.uint8)))
    78
    """
    rows, columns = pixels.shape[:2]
    stride = -(-columns * 3 // 4) * 4
    if stride != columns * 3:
        pixels = np.pad(pixels.reshape(rows, -1), [(0, 0), (0, stride - columns * 3)])
    size = stride * rows
    head = struct.pack("<2sIHHI", b"BM", _HEADER_BYTES + size, 0, 0, _HEADER_BYTES)
    about = struct.pack("<IiiHHIIiiII", 40, columns, -rows, 1, 24, 0, size, 2835, 2835, 0, 0)
    return b"".join((head, about, np.ascontiguousarray(pixels).data))
