"""The overlaps of many boxes at once. Apart from `boxes`, so that a command which only shows a box needs no numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def box_iou_batch(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """Return the IoU of every box of one set with every box of another.

    first: (N, 4) xyxy, pixels. second: (M, 4) xyxy, pixels. Returns (N, M), 0..1; an empty box has IoU 0.

    >>> box_iou_batch([[0, 0, 2, 2]], [[1, 0, 3, 2]]).round(3).tolist()
    [[0.333]]
    """
    a = np.asarray(first, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(second, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])  # (N, M, 2)
    shared = np.prod(np.clip(high - low, 0.0, None), axis=2)  # (N, M)
    union = _areas(a)[:, None] + _areas(b)[None, :] - shared
    ratio: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def _areas(boxes: FloatArray) -> FloatArray:
    sides: FloatArray = np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float64)
