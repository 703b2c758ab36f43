"""Averages what a network says of an image and of its mirror image. numpy only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

Floats = npt.NDArray[np.float32]

_TINY = 1e-6
# Outputs over a grid, (B, h, w, C), and distributions, (B, S).
_CENTRES, _SIDES, _GRID, _SPECIES = "centres", "ltrb_offsets", "heatmap", ("box_species", "heatmap_species")


def mirror(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return images mirrored left to right. images: (B, H, W, 3)."""
    return np.ascontiguousarray(images[:, :, ::-1])


def mean_with_mirrored(plain: Mapping[str, Floats], mirrored: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the mean outputs, by the names of a centre detector, in the plain image's coordinates.

    mirrored: what was said of the mirrored images, in their coordinates. Heat is averaged as probabilities, so that a
    place which one of both takes for a fish is half as sure. The box of the largest fish stays the plain one's: of two
    fish each image may have meant another.
    """
    found = dict(plain)
    heat = (expit(plain[_CENTRES]) + expit(mirrored[_CENTRES][:, :, ::-1])) / 2.0
    found[_CENTRES] = logit(np.clip(heat, _TINY, 1.0 - _TINY)).astype(np.float32)
    back = mirrored[_SIDES][:, :, ::-1][..., [2, 1, 0, 3]]  # left and right change places
    found[_SIDES] = (plain[_SIDES] + back) / 2.0
    found[_GRID] = (plain[_GRID] + mirrored[_GRID][:, :, ::-1]) / 2.0
    found |= {name: (plain[name] + mirrored[name]) / 2.0 for name in _SPECIES}
    return found
