"""JPEGs that lack their end: cameras that leave out the last bytes, cards that were pulled out.

What is there is used where it is all but a sliver, as browsers and labelme show it.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

_END_MARK = b"\xff\xd9"
# One row of a JPEG's blocks at its coarsest sampling; a smaller loss cannot be told.
_BLOCK_ROWS = 16
_LARGEST_SHARE = 0.05
_NOISE_BYTES = 65_536

Pixels = npt.NDArray[np.uint8]


def is_cut_short(error: OSError) -> bool:
    """Return whether Pillow says that a file ends too soon."""
    return "truncated" in str(error)


def complete(content: bytes, decode: Callable[[bytes], Pixels]) -> tuple[Pixels, float] | None:
    """Return the pixels of a JPEG that lacks its end, with the share of its rows that are missing, 0..0.05.

    decode: bytes to (H, W, 3), rows as they are stored. None where more is missing than a sliver.

    The missing rows are those that change with what is put in the missing bytes' place.
    """
    noise = random.Random(0).randbytes(_NOISE_BYTES).replace(b"\xff", b"\x00")
    pixels, other = decode(content + _END_MARK), decode(content + noise + _END_MARK)
    changed = np.flatnonzero((pixels != other).any(axis=(1, 2)))
    rows = pixels.shape[0]
    missing = rows - int(changed[0]) if changed.size else 0
    if missing > max(_BLOCK_ROWS, _LARGEST_SHARE * rows) or missing == rows:
        return None
    return pixels, missing / rows
