"""JPEGs that lack their end: cameras that leave out the last bytes, cards that were pulled out.

What is there is used where it is all but a sliver, as browsers and labelme show it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.images.jpeg_scans import last_scan

_END_MARK = b"\xff\xd9"
_HALF_A_MARK = b"\xff"
# One row of a JPEG's blocks at its coarsest sampling; a smaller loss cannot be told.
_BLOCK_ROWS = 16
_LARGEST_SHARE = 0.05
_NOISE_BYTES = 65_536

Pixels = npt.NDArray[np.uint8]


def is_cut_short(content: bytes, error: OSError) -> bool:
    """Return whether Pillow says that a JPEG ends too soon; of one that ends in half a mark it says something else."""
    return "truncated" in str(error) or content.endswith(_HALF_A_MARK)


@dataclass(frozen=True)
class Completed:
    """A JPEG without its end. pixels: (H, W, 3); lacking: the share of its rows that are missing, or coarser than
    they were (of a progressive one)."""

    pixels: Pixels
    lacking: float
    coarser: bool = False

    def told(self, height_px: int) -> str:
        """Return a note for people. height_px: of the image as it is stored."""
        rows = round(self.lacking * height_px)
        if not rows:
            return "it lacks its end mark"
        return f"it lacks its end: {rows} rows are {'coarser' if self.coarser else 'missing'}"


def complete(content: bytes, decode: Callable[[bytes], Pixels]) -> Completed | None:
    """Return the pixels of a JPEG that lacks its end, None where more is missing than a sliver.

    decode: bytes to (H, W, 3), rows as they are stored.

    The rows without data are those that change with what is put in the missing bytes' place.
    """
    content = content.rstrip(_HALF_A_MARK)
    scan = last_scan(content)
    if scan is not None and not scan.completes:
        return None
    noise = random.Random(0).randbytes(_NOISE_BYTES).replace(b"\xff", b"\x00")
    pixels, other = decode(content + _END_MARK), decode(content + noise + _END_MARK)
    changed = np.flatnonzero((pixels != other).any(axis=(1, 2)))
    rows = pixels.shape[0]
    missing = rows - int(changed[0]) if changed.size else 0
    if missing == rows:
        return None
    if scan is not None:
        # Earlier scans gave every row; what counts is how much of the bytes is missing, by what the rows there took.
        read_bytes = len(content) - scan.begins
        lost_bytes = read_bytes * missing / (rows - missing)
        small = lost_bytes <= _LARGEST_SHARE * (len(content) + lost_bytes)
        return Completed(pixels, missing / rows, coarser=True) if small else None
    return Completed(pixels, missing / rows) if missing <= max(_BLOCK_ROWS, _LARGEST_SHARE * rows) else None
