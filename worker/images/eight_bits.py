"""Brings pixels of more than eight bits down to eight, by the bits that are in use.

Industrial and thermal cameras write 10 or 12 bits into samples of 16: by the high byte alone these are black images.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

# What sensors and converters give; a frame that is dark by chance is read as the next smaller one, so brighter.
_DEPTHS = (8, 10, 12, 14, 16)
_BITS_PER_SAMPLE = 258
_MAX_SAMPLE_VALUE = 281
# A colour whose high byte stays below this uses at most 14 bits.
_HIGH_BYTE_IN_USE = 64
# The byte that Pillow leaves out, by the one it takes.
_OTHER_BYTE = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}

Grey = npt.NDArray[np.generic]


def grey_to_eight_bits(grey: Grey, *, bits: int | None = None) -> npt.NDArray[np.uint8]:
    """Return grey values as 0..255. grey: (H, W), whole numbers or floats; bits: in use, by the values where None.

    Floats up to 1 are shares of white.

    >>> grey_to_eight_bits(np.array([[0, 2048, 4095]])).tolist()
    [[0, 128, 255]]
    """
    if grey.dtype.kind == "f":
        finite = np.nan_to_num(grey.astype(np.float64), posinf=0.0, neginf=0.0)
        if finite.max(initial=0.0) <= 1.0:
            return (finite * 255.0).round().clip(0, 255).astype(np.uint8)
        grey = finite.clip(0, 2**53)
    whole = np.clip(grey.astype(np.int64), 0, None)
    top = int(whole.max(initial=0))
    if bits is None or top >= 2**bits:
        bits = next((depth for depth in _DEPTHS if top < 2**depth), top.bit_length())
    return (whole >> (max(bits, 8) - 8)).astype(np.uint8)


def written_bits(image: Image.Image, content: bytes) -> int | None:
    """Return the bits in use as the file says them; None where it does not."""
    if image.format == "PNG":
        return _significant_bits(content)
    tags: Any = getattr(image, "tag_v2", None)
    if tags is None:
        return None
    top, bits = (_first(tags.get(tag)) for tag in (_MAX_SAMPLE_VALUE, _BITS_PER_SAMPLE))
    if top is not None and 255 < top < 65535:
        return top.bit_length()
    return bits if bits is not None and 8 < bits < 16 else None


def dark_colours(image: ImageFile.ImageFile, high: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | None:
    """Return colours of 16-bit samples whose high byte is hardly in use, by the bits in use; None for any other image.

    image: opened and not loaded yet. high: (H, W, 3 or 4), what Pillow makes of it.
    """
    other = _of_the_other_byte(image)
    if other is None or high[..., :3].max(initial=0) >= _HIGH_BYTE_IN_USE:
        return None
    image.tile = other
    image.load()
    whole = (high.astype(np.int64) << 8) | np.asarray(image)
    return grey_to_eight_bits(whole[..., :3])


def _of_the_other_byte(image: ImageFile.ImageFile) -> list[Any] | None:
    tiles = []
    for tile in image.tile:
        args = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        raw_mode, byte = args[0][:-3] if args and isinstance(args[0], str) else "", str(args[0])[-3:] if args else ""
        if raw_mode not in ("RGB;", "RGBA;") or byte not in _OTHER_BYTE:
            return None
        swapped = (raw_mode + _OTHER_BYTE[byte], *args[1:])
        tiles.append(tile._replace(args=swapped if isinstance(tile.args, tuple) else swapped[0]))
    return tiles or None


def _significant_bits(content: bytes) -> int | None:
    """Return what a PNG's chunk sBIT says of its first channel; it stands before the pixels."""
    place = content.find(b"sBIT", 8, 4096)
    if place < 0 or place > (content.find(b"IDAT", 8) if b"IDAT" in content[:4096] else 4096):
        return None
    bits = content[place + 4] if len(content) > place + 4 else 0
    return bits if 8 < bits < 16 else None


def _first(value: object) -> int | None:
    found = value[0] if isinstance(value, tuple) and value else value
    return found if isinstance(found, int) else None
