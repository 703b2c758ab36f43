"""Shows a window in the light, colours and noise of another day or camera. numpy and Pillow only."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

Pixels = npt.NDArray[np.uint8]

_GAMMA = 0.4  # of its logarithm, either way
_CONTRAST = (0.7, 1.35)
_BRIGHTNESS = 25.0  # grey levels, either way
_GAIN = 0.12  # of its logarithm, each colour on its own: white balance, dusk, deck lamps
_SATURATION = (0.4, 1.5)
_GREY_SHARE = 0.12  # of windows; night cameras see no colour
_BLUR_SHARE, _BLUR_PX = 0.25, (0.3, 1.5)
_JPEG_SHARE, _JPEG_QUALITY = 0.3, (25, 86)
_NOISE_SHARE, _NOISE_LEVELS = 0.2, (2.0, 10.0)


def recolour(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a window as another camera might have taken it. pixels: (H, W, 3) RGB. Returns the same shape."""
    image = Image.fromarray(pixels).point(_curve(rng, float(pixels.mean())))
    grey = rng.random() < _GREY_SHARE
    image = ImageEnhance.Color(image).enhance(0.0 if grey else float(rng.uniform(*_SATURATION)))
    if rng.random() < _BLUR_SHARE:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(*_BLUR_PX))))
    if rng.random() < _JPEG_SHARE:
        image = _compressed(image, int(rng.integers(*_JPEG_QUALITY)))
    changed = np.array(image, dtype=np.uint8)
    return _with_noise(changed, rng) if rng.random() < _NOISE_SHARE else changed


def _curve(rng: np.random.Generator, mean: float) -> list[int]:
    """Return what becomes of each level of red, then of green and blue, 768 levels: gamma, contrast, light, gain."""
    gamma = float(np.exp(rng.uniform(-_GAMMA, _GAMMA)))
    levels = 255.0 * (np.arange(256) / 255.0) ** gamma
    middle = 255.0 * (mean / 255.0) ** gamma
    levels = (levels - middle) * rng.uniform(*_CONTRAST) + middle + rng.uniform(-_BRIGHTNESS, _BRIGHTNESS)
    gains = np.exp(rng.uniform(-_GAIN, _GAIN, 3))
    changed = np.clip(np.rint(gains[:, None] * levels[None]), 0, 255).astype(int)  # (3, 256)
    return [int(level) for level in changed.ravel()]


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _with_noise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    noise = rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(rng.uniform(*_NOISE_LEVELS))
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)
