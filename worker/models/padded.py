"""Fills a short batch up, for networks that are called with one shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def padded(rows: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return the rows with zeros after them, (size, ...).

    >>> padded(np.array([[1, 2]]), 3).tolist()
    [[1, 2], [0, 0], [0, 0]]
    """
    missing = size - len(rows)
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), dtype=rows.dtype)]) if missing else rows
