"""Draws foam: on the water, where it goes by, and on a deck that a wave has washed over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from worker.sample_fleet.deck import smooth_noise

Mask = npt.NDArray[np.bool_]
_WHITE = np.array([232, 238, 240], dtype=np.float32)


def draw_foam(image: Image.Image, *, water: Mask, deck: Mask, rng: np.random.Generator) -> Image.Image:
    """Return the image with foam on its water, and in a few patches on the deck.

    water: (H, W), where the sea is seen. deck: where foam lies on the boards; all False where no wave came.
    """
    shape = (image.height, image.width)
    lace = smooth_noise(shape, cells=90, rng=rng)
    patches = smooth_noise(shape, cells=9, rng=rng)
    # Foam is lace within patches: bright, pointed at its ends, as long as a fish.
    thick = np.clip((patches - 0.5) * 1.6 + lace * 0.45, 0.0, 1.0) * water
    thick = np.maximum(thick, np.clip((patches - 1.5) * 2.0 + lace * 0.3, 0.0, 0.8) * deck)
    pixels = np.asarray(image).astype(np.float32)
    share = thick[..., None] * 0.85
    return Image.fromarray((pixels * (1.0 - share) + _WHITE * share).clip(0, 255).astype(np.uint8))
