"""Draws a camera's still view: deck, rail, sea, gear; the same for all its images, as a fixed camera's is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Pixels = npt.NDArray[np.float32]

DECKS = ((150, 152, 148), (112, 122, 128), (92, 116, 100), (168, 160, 142), (132, 84, 66), (84, 96, 124))
SEAS = ((86, 108, 122), (52, 78, 104), (112, 126, 128), (36, 52, 66))
GEAR = ((214, 108, 32), (38, 82, 150), (226, 222, 208), (52, 54, 56), (182, 44, 38), (60, 116, 74), (196, 172, 60))


def draw_deck(*, size_px: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Return the empty view of one camera. size_px: width, height."""
    width, height = size_px
    image = Image.new("RGB", size_px, _colour(SEAS, rng))
    horizon = int(height * rng.uniform(0.05, 0.38))
    tilt = int(rng.normal(0, height * 0.06))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, horizon // 2), fill=_colour(((188, 198, 206), (150, 160, 172), (214, 214, 210)), rng))
    draw.polygon([(0, horizon - tilt), (width, horizon + tilt), (width, height), (0, height)], fill=_colour(DECKS, rng))
    _planks(draw, size_px, horizon, rng)
    _rail(draw, size_px, horizon, tilt, rng)
    for _ in range(int(rng.integers(3, 9))):
        _gear(draw, size_px, horizon, rng)
    if rng.random() < 0.5:
        _table(draw, size_px, rng)
    return _textured(image.filter(ImageFilter.GaussianBlur(1.0)), rng)


def smooth_noise(shape_hw: tuple[int, int], *, cells: int, rng: np.random.Generator) -> Pixels:
    """Return noise of a coarse grain, (H, W), mean 0, spread about 1."""
    rough = rng.normal(0, 1, (max(2, cells * shape_hw[0] // shape_hw[1]), cells)).astype(np.float32)
    return np.asarray(Image.fromarray(rough).resize(shape_hw[::-1], Image.Resampling.BICUBIC), dtype=np.float32)


def _planks(draw: ImageDraw.ImageDraw, size_px: tuple[int, int], horizon: int, rng: np.random.Generator) -> None:
    width, height = size_px
    vanishing_x, shade = width * rng.uniform(0.1, 0.9), int(rng.integers(40, 120))
    for x in np.arange(-2 * width, 3 * width, width * rng.uniform(0.04, 0.16)):
        draw.line([(vanishing_x + (x - vanishing_x) * 0.3, horizon), (x, height)], fill=(shade, shade, shade), width=2)


def _rail(
    draw: ImageDraw.ImageDraw, size_px: tuple[int, int], horizon: int, tilt: int, rng: np.random.Generator
) -> None:
    width, height = size_px
    colour, thick = _colour(GEAR + DECKS, rng), int(height * rng.uniform(0.02, 0.09))
    draw.line([(0, horizon - tilt), (width, horizon + tilt)], fill=colour, width=thick)
    for x in np.arange(0, width, width * rng.uniform(0.08, 0.3)):
        draw.line([(x, horizon - height * 0.12), (x, horizon + height * 0.06)], fill=colour, width=max(3, thick // 3))


def _gear(draw: ImageDraw.ImageDraw, size_px: tuple[int, int], horizon: int, rng: np.random.Generator) -> None:
    width, height = size_px
    x, y = rng.uniform(0, width), rng.uniform(horizon, height)
    w, h = width * rng.uniform(0.02, 0.16), height * rng.uniform(0.03, 0.2)
    colour, kind = _colour(GEAR, rng), rng.random()
    dark = tuple(int(part * 0.55) for part in colour)
    if kind < 0.4:
        draw.polygon([(x, y), (x + w, y - h * 0.1), (x + w * 1.1, y + h), (x - w * 0.1, y + h * 1.1)], fill=colour)
        draw.polygon(
            [(x, y), (x + w, y - h * 0.1), (x + w * 0.85, y - h * 0.35), (x + w * 0.2, y - h * 0.3)], fill=dark
        )
    elif kind < 0.65:
        draw.ellipse((x, y, x + w, y + w * 0.5), fill=dark, outline=colour, width=4)
    elif kind < 0.85:
        points = [(x + float(t) * w * 0.3, y + np.sin(float(t) * 1.9) * h * 0.4) for t in np.linspace(0, 9, 40)]
        draw.line(points, fill=colour, width=int(rng.integers(2, 8)))
    else:
        # A fish-like thing that is none: a buoy or a fender lying about.
        draw.ellipse(
            (x, y, x + w * 1.3, y + h * 0.45), fill=_colour(((170, 174, 178), (70, 76, 92), (200, 96, 40)), rng)
        )


def _table(draw: ImageDraw.ImageDraw, size_px: tuple[int, int], rng: np.random.Generator) -> None:
    width, height = size_px
    x, y = width * rng.uniform(0.1, 0.5), height * rng.uniform(0.4, 0.7)
    w, h = width * rng.uniform(0.2, 0.45), height * rng.uniform(0.1, 0.25)
    top = [(x, y), (x + w, y + h * 0.1), (x + w * 1.08, y + h), (x - w * 0.08, y + h * 0.9)]
    draw.polygon(top, fill=_colour(((190, 194, 196), (226, 226, 220), (120, 132, 140), (88, 110, 150)), rng))
    draw.line([*top, top[0]], fill=(60, 62, 64), width=4)


def _textured(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image).astype(np.float32)
    shape = pixels.shape[:2]
    for cells, strength in ((6, 12.0), (40, 8.0), (220, 7.0)):
        pixels += (smooth_noise((shape[0], shape[1]), cells=cells, rng=rng) * strength)[..., None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _colour(choices: tuple[tuple[int, int, int], ...], rng: np.random.Generator) -> tuple[int, int, int]:
    base = np.array(choices[rng.integers(len(choices))]) + rng.normal(0, 9, 3)
    red, green, blue = base.clip(0, 255).astype(int).tolist()
    return (red, green, blue)
