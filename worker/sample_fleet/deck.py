"""Draws a camera's still view: deck, rail, sea, gear; the same for all its images, as a fixed camera's is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from worker.sample_fleet.gear import COLOURS, Colour, draw_gear, vary

Pixels = npt.NDArray[np.float32]

_DECKS: tuple[Colour, ...] = (
    (150, 152, 148),
    (112, 122, 128),
    (92, 116, 100),
    (168, 160, 142),
    (132, 84, 66),
    (84, 96, 124),
)
_SEAS: tuple[Colour, ...] = ((86, 108, 122), (52, 78, 104), (112, 126, 128), (36, 52, 66))
_SKIES: tuple[Colour, ...] = ((188, 198, 206), (150, 160, 172), (214, 214, 210))
_TABLES: tuple[Colour, ...] = ((190, 194, 196), (226, 226, 220), (120, 132, 140), (88, 110, 150))
_OVER_THE_SIDE_SHARE = 0.4  # of the cameras look at the water beside the boat, where foam goes by


@dataclass(frozen=True, eq=False)
class Deck:
    """The empty view of one camera. water: (H, W), where the sea is seen."""

    image: Image.Image
    water: npt.NDArray[np.bool_]


def draw_deck(*, size_px: tuple[int, int], rng: np.random.Generator) -> Deck:
    """Return the empty view of one camera. size_px: width, height."""
    width, height = size_px
    sea = _colour(_SEAS, rng)
    image, horizon = Image.new("RGB", size_px, sea), int(height * rng.uniform(0.05, 0.38))
    tilt = int(rng.normal(0, height * 0.06))
    boards = [(0, horizon - tilt), (width, horizon + tilt), (width, height), (0, height)]
    draw, water = ImageDraw.Draw(image), Image.new("L", size_px, 255)
    draw.rectangle((0, 0, width, horizon // 2), fill=_colour(_SKIES, rng))
    draw.polygon(boards, fill=_colour(_DECKS, rng))
    ImageDraw.Draw(water).rectangle((0, 0, width, horizon // 2), fill=0)
    ImageDraw.Draw(water).polygon(boards, fill=0)
    _planks(draw, size_px, horizon, rng)
    _rail(draw, size_px, horizon, tilt, rng)
    if rng.random() < _OVER_THE_SIDE_SHARE:
        _side(draw, ImageDraw.Draw(water), size_px, horizon, sea, rng)
    for _ in range(int(rng.integers(7, 19))):
        draw_gear(draw, size_px, horizon, rng)
    if rng.random() < 0.5:
        _table(draw, size_px, rng)
    return Deck(_textured(image.filter(ImageFilter.GaussianBlur(1.0)), rng), np.asarray(water) > 0)


def smooth_noise(shape_hw: tuple[int, int], *, cells: int, rng: np.random.Generator) -> Pixels:
    """Return noise of a coarse grain, (H, W), mean 0, spread about 1."""
    rough = rng.normal(0, 1, (max(2, cells * shape_hw[0] // shape_hw[1]), cells)).astype(np.float32)
    return np.asarray(Image.fromarray(rough).resize(shape_hw[::-1], Image.Resampling.BICUBIC), dtype=np.float32)


def _planks(draw: ImageDraw.ImageDraw, size_px: tuple[int, int], horizon: int, rng: np.random.Generator) -> None:
    width, height = size_px
    vanishing_x, tone = width * rng.uniform(0.1, 0.9), int(rng.integers(40, 120))
    for x in np.arange(-2 * width, 3 * width, width * rng.uniform(0.04, 0.16)):
        draw.line([(vanishing_x + (x - vanishing_x) * 0.3, horizon), (x, height)], fill=(tone, tone, tone), width=2)


def _rail(
    draw: ImageDraw.ImageDraw, size_px: tuple[int, int], horizon: int, tilt: int, rng: np.random.Generator
) -> None:
    width, height = size_px
    colour, thick = _colour(COLOURS + _DECKS, rng), int(height * rng.uniform(0.02, 0.09))
    draw.line([(0, horizon - tilt), (width, horizon + tilt)], fill=colour, width=thick)
    for x in np.arange(0, width, width * rng.uniform(0.08, 0.3)):
        draw.line([(x, horizon - height * 0.12), (x, horizon + height * 0.06)], fill=colour, width=max(3, thick // 3))


def _side(
    draw: ImageDraw.ImageDraw,
    water: ImageDraw.ImageDraw,
    size_px: tuple[int, int],
    horizon: int,
    sea: Colour,
    rng: np.random.Generator,
) -> None:
    """Open the view over one side of the boat: water down to the lower edge, behind a bulwark."""
    width, height = size_px
    near, far = width * rng.uniform(0.05, 0.35), width * rng.uniform(0.02, 0.3)
    edges = np.array([(0, horizon), (far, horizon), (near, height), (0, height)])
    if rng.random() < 0.5:
        edges[:, 0] = width - edges[:, 0]
    corners = [(float(x), float(y)) for x, y in edges]
    draw.polygon(corners, fill=sea)
    water.polygon(corners, fill=255)
    draw.line(corners[1:3], fill=_colour(COLOURS + _DECKS, rng), width=int(width * rng.uniform(0.01, 0.04)))


def _table(draw: ImageDraw.ImageDraw, size_px: tuple[int, int], rng: np.random.Generator) -> None:
    width, height = size_px
    x, y = width * rng.uniform(0.1, 0.5), height * rng.uniform(0.4, 0.7)
    w, h = width * rng.uniform(0.2, 0.45), height * rng.uniform(0.1, 0.25)
    top = [(x, y), (x + w, y + h * 0.1), (x + w * 1.08, y + h), (x - w * 0.08, y + h * 0.9)]
    draw.polygon(top, fill=_colour(_TABLES, rng))
    draw.line([*top, top[0]], fill=(60, 62, 64), width=4)


def _textured(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image).astype(np.float32)
    shape = pixels.shape[:2]
    for cells, strength in ((6, 12.0), (40, 8.0), (220, 7.0)):
        pixels += (smooth_noise((shape[0], shape[1]), cells=cells, rng=rng) * strength)[..., None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _colour(choices: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    return vary(choices[int(rng.integers(len(choices)))], rng)
