"""What lies between the deck and the file: light, night, haze, blur, spray, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from worker.sample_fleet.deck import smooth_noise


@dataclass(frozen=True)
class Conditions:
    """The conditions of one image."""

    night: bool
    blur: bool
    spray: bool
    glare: bool


def draw_conditions(rng: np.random.Generator, *, night_share: float) -> Conditions:
    """Return the conditions of an image by chance. night_share: of the camera's images are taken at night."""
    night, blur, spray, glare = rng.random(4) < (night_share, 0.15, 0.15, 0.12)
    return Conditions(night=bool(night), blur=bool(blur), spray=bool(spray), glare=bool(glare and not night))


def apply_conditions(
    image: Image.Image,
    conditions: Conditions,
    *,
    cast: tuple[float, float, float],
    contrast: float,
    rng: np.random.Generator,
) -> Image.Image:
    """Return the image as the camera took it. cast: this camera's gain of red, green, blue. contrast: 1 as drawn."""
    if conditions.blur:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(1.0, 3.5)) * image.width / 1280))
    pixels = np.asarray(image).astype(np.float32)
    shape = (pixels.shape[0], pixels.shape[1])
    gain = rng.uniform(0.7, 1.25) * np.array(cast, dtype=np.float32)
    pixels = pixels * gain * (1 + 0.13 * smooth_noise(shape, cells=3, rng=rng))[..., None]
    if conditions.night:
        pixels = _night(pixels, shape, rng)
    if conditions.glare:
        pixels = 255 - (255 - pixels) * rng.uniform(0.3, 0.7)
    # A veiled lens pulls everything towards the image's own grey; in the dark there is no light to scatter.
    clear = max(contrast, 0.7) if conditions.night else contrast
    pixels = pixels * clear + pixels.mean() * (1.0 - clear)
    if conditions.spray:
        pixels += (np.maximum(smooth_noise(shape, cells=30, rng=rng) - 1.4, 0) * 130)[..., None]
    noise = rng.integers(0, 256, (shape[0] // 2 + 1, shape[1] // 2 + 1), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
    pixels += (noise[: shape[0], : shape[1], None].astype(np.float32) - 128) * (0.1 if conditions.night else 0.04)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _night(pixels: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Deck lights: a warm pool, the rest dark."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    far = (x / shape[1] - rng.uniform(0.3, 0.7)) ** 2 + (y / shape[0] - rng.uniform(0.3, 0.8)) ** 2
    pool = np.exp(-far / rng.uniform(0.06, 0.25))[..., None].astype(np.float32)
    warm = np.array([1.1, 0.98, 0.78], dtype=np.float32)
    lit: np.ndarray = pixels * warm * (0.22 + rng.uniform(0.6, 1.0) * pool)
    return lit
