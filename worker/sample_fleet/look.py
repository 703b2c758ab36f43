"""What stays the same in all images of a camera, drawn once from the fleet's seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worker.sample_fleet.banner import Banner, draw_banner
from worker.sample_fleet.deck import Deck, draw_deck

FISH_PX_AT_640 = (40.0, 160.0)
"""The square root of a fish's box area, pixels of an image 640 wide: the medians of the smallest and largest camera."""

_GOLDEN = 0.618034
_LOW_CONTRAST_SHARE, _NIGHT_CAMERA_SHARE = 0.3, 0.25


@dataclass(frozen=True, eq=False)
class CameraLook:
    """A camera. cast: its gain of red, green, blue. contrast: 1 as drawn, less where salt and haze veil the lens.

    lean_rad: how its fish mostly lie. fish_px_at_640: the usual square root of a box's area at 640 px of width.
    night_share: of its images are taken under deck lights. foam_share: after a wave.
    """

    name: str
    deck: Deck
    cast: tuple[float, float, float]
    contrast: float
    banner: Banner
    lean_rad: float
    fish_px_at_640: float
    night_share: float
    foam_share: float


def draw_look(name: str, *, number: int, size_px: tuple[int, int], seed: int) -> CameraLook:
    """Return the look of a fleet's camera by its number. size_px: width and height of its images."""
    rng = np.random.default_rng([seed, 2, number])
    red, green, blue = rng.normal(1.0, 0.08, 3).clip(0.8, 1.2).tolist()
    low_contrast, at_night = rng.random(2) < (_LOW_CONTRAST_SHARE, _NIGHT_CAMERA_SHARE)
    return CameraLook(
        name=name,
        deck=draw_deck(size_px=size_px, rng=rng),
        cast=(red, green, blue),
        contrast=float(rng.uniform(0.35, 0.6) if low_contrast else rng.uniform(0.75, 1.05)),
        banner=draw_banner(rng),
        lean_rad=float(rng.normal(0, 0.7)),
        fish_px_at_640=_fish_size(number, seed),
        night_share=float(rng.uniform(0.5, 0.9) if at_night else rng.uniform(0.0, 0.25)),
        foam_share=float(rng.uniform(0.0, 0.4)),
    )


def _fish_size(number: int, seed: int) -> float:
    """Return a size of the range by the golden ratio's steps: any few cameras of a fleet span most of it."""
    share = (np.random.default_rng([seed, 5]).random() + _GOLDEN * number) % 1.0
    low, high = FISH_PX_AT_640
    return float(low * (high / low) ** share)
