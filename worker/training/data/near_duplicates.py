"""Finds images that are nearly the same one: on both sides of a split they would be learnt by heart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from db.domain.duplicates import MAX_DIFFERENCE


def near_duplicates(thumbnails: npt.NDArray[np.uint8], sizes: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """Return a number for each image that it shares with its near-duplicates and theirs; (N,).

    thumbnails: (N, 9, 16, 3) RGB, see `thumbnails_of`. sizes: (width, height) of the originals; images of two sizes
    are never alike. Two images are alike where no cell's red, green or blue differs by more than MAX_DIFFERENCE, the
    image's mean of each taken away (exposure drifts). The mean of all cells would not do: a fixed camera's images
    differ nowhere but where the fish is.
    """
    groups = np.zeros(len(thumbnails), dtype=np.int64)
    first = 0
    for size in sorted(set(sizes)):
        rows = np.flatnonzero([own == size for own in sizes])
        cells = thumbnails[rows].astype(np.float32)
        cells -= cells.mean(axis=(1, 2), keepdims=True)
        count, found = _groups(cells.reshape(len(rows), -1))
        groups[rows] = first + found
        first += count
    return groups


def _groups(cells: npt.NDArray[np.float32]) -> tuple[int, npt.NDArray[np.int64]]:
    # Equal ones first: a thousand black frames are half a million pairs.
    some, place = np.unique(np.round(cells), axis=0, return_inverse=True)
    pairs = cKDTree(some).query_pairs(MAX_DIFFERENCE, p=np.inf, output_type="ndarray")  # (P, 2)
    ones = np.ones(len(pairs), dtype=bool)
    linked = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(some), len(some)))
    count, found = connected_components(linked, directed=False)
    return int(count), np.asarray(found[place.reshape(-1)], dtype=np.int64)
