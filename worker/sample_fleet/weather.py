"""What lies between the deck and the file: light, night, blur, spray, noise, and the camera's own clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from worker.sample_fleet.deck import smooth_noise


@dataclass(frozen=True)
class Conditions:
    """The conditions of one image."""

    night: bool
    blur: bool
    spray: bool
    glare: bool


def draw_conditions(rng: np.random.Generator) -> Conditions:
    """Return the conditions of an image by chance."""
    night, blur, spray, glare = rng.random(4) < (0.22, 0.15, 0.15, 0.12)
    return Conditions(night=bool(night), blur=bool(blur), spray=bool(spray), glare=bool(glare and not night))


def apply_conditions(
    image: Image.Image, conditions: Conditions, *, cast: tuple[float, float, float], rng: np.random.Generator
) -> Image.Image:
    """Return the image as the camera took it. cast: this camera's gain of red, green, blue."""
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
    if conditions.spray:
        pixels += (np.maximum(smooth_noise(shape, cells=30, rng=rng) - 1.4, 0) * 130)[..., None]
    noise = rng.integers(0, 256, (shape[0] // 2 + 1, shape[1] // 2 + 1), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
    pixels += (noise[: shape[0], : shape[1], None].astype(np.float32) - 128) * (0.1 if conditions.night else 0.04)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write_clock(image: Image.Image, *, corner: int, text: str) -> None:
    """Write the camera's clock into one of the four corners, as boats' cameras do."""
    x = 10 if corner % 2 == 0 else image.width - 190
    y = 8 if corner < 2 else image.height - 22
    ImageDraw.Draw(image).text((x, y), text, fill=(240, 240, 235), stroke_width=1, stroke_fill=(20, 20, 20))


def _night(pixels: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Deck lights: a warm pool, the rest dark."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    far = (x / shape[1] - rng.uniform(0.3, 0.7)) ** 2 + (y / shape[0] - rng.uniform(0.3, 0.8)) ** 2
    pool = np.exp(-far / rng.uniform(0.06, 0.25))[..., None].astype(np.float32)
    warm = np.array([1.1, 0.98, 0.78], dtype=np.float32)
    lit: np.ndarray = pixels * warm * (0.12 + rng.uniform(0.5, 0.9) * pool)
    return lit
