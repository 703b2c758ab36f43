"""Draws what stands and lies on a deck and looks like a fish to a network: crates, poles, winches, baskets, mats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = (
    (214, 108, 32),
    (38, 82, 150),
    (226, 222, 208),
    (52, 54, 56),
    (182, 44, 38),
    (60, 116, 74),
    (196, 172, 60),
    (150, 156, 164),
)
# A float, a fender, a boot, a wet sack: the colours and the shape of a fish, but none.
_FISH_LIKE: tuple[Colour, ...] = ((170, 174, 178), (70, 76, 92), (200, 96, 40), (52, 60, 86))


@dataclass(frozen=True)
class Place:
    """Where a thing stands: its upper left corner and its size, pixels."""

    x: float
    y: float
    width: float
    height: float

    def at(self, x_share: float, y_share: float) -> tuple[float, float]:
        """A point of it, by shares of its sides."""
        return (self.x + x_share * self.width, self.y + y_share * self.height)


Drawer = Callable[[ImageDraw.ImageDraw, Place, Colour, np.random.Generator], None]


def draw_gear(draw: ImageDraw.ImageDraw, size_px: tuple[int, int], horizon_px: int, rng: np.random.Generator) -> None:
    """Draw one thing below the horizon. size_px: width and height of the image."""
    width, height = size_px
    place = Place(
        float(rng.uniform(-0.03, 1.0) * width),
        float(rng.uniform(horizon_px, height)),
        float(width * rng.uniform(0.03, 0.16)),
        float(height * rng.uniform(0.05, 0.24)),
    )
    drawer = _DRAWERS[int(rng.choice(len(_DRAWERS), p=_SHARES))]
    drawer(draw, place, vary(COLOURS[int(rng.integers(len(COLOURS)))], rng), rng)


def vary(colour: Colour, rng: np.random.Generator, spread: float = 9.0) -> Colour:
    """Return a colour a little off, so that no two things are alike."""
    red, green, blue = (np.array(colour) + rng.normal(0, spread, 3)).clip(0, 255).astype(int).tolist()
    return (red, green, blue)


def shade(colour: Colour, factor: float) -> Colour:
    """Return a colour darker (factor < 1) or lighter.

    >>> shade((100, 200, 40), 1.5)
    (150, 255, 60)
    """
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return (red, green, blue)


def _crate(draw: ImageDraw.ImageDraw, place: Place, colour: Colour, rng: np.random.Generator) -> None:
    top, front = shade(colour, 0.55), colour
    draw.polygon([place.at(0.1, 0.0), place.at(1.1, 0.0), place.at(1.0, 0.35), place.at(0.0, 0.35)], fill=top)
    draw.polygon([place.at(0.0, 0.35), place.at(1.0, 0.35), place.at(0.97, 1.0), place.at(0.03, 1.0)], fill=front)
    for slat in np.arange(0.45, 1.0, rng.uniform(0.12, 0.22)):
        draw.line([place.at(0.05, slat), place.at(0.95, slat)], fill=shade(colour, 0.75), width=2)
    draw.line([place.at(0.35, 0.5), place.at(0.65, 0.5)], fill=(24, 24, 26), width=max(2, int(place.height * 0.08)))


def _pole(draw: ImageDraw.ImageDraw, place: Place, colour: Colour, rng: np.random.Generator) -> None:
    """A gaff, a davit, a stanchion: long, thin, with a light edge; some lie, some stand."""
    angle, long = rng.uniform(0, np.pi), place.width * rng.uniform(2.0, 6.0)
    end = (place.x + float(np.cos(angle)) * long, place.y - float(np.sin(angle)) * long)
    thick = max(3, int(place.width * rng.uniform(0.04, 0.2)))
    draw.line([(place.x, place.y), end], fill=colour, width=thick)
    draw.line([(place.x - 1, place.y - 1), (end[0] - 1, end[1] - 1)], fill=shade(colour, 1.5), width=max(1, thick // 3))


def _winch(draw: ImageDraw.ImageDraw, place: Place, colour: Colour, rng: np.random.Generator) -> None:
    """A drum between two flanges, wound with line."""
    draw.rectangle((*place.at(0.15, 0.25), *place.at(0.85, 0.75)), fill=vary((168, 160, 130), rng))
    for turn in np.arange(0.18, 0.85, 0.06):
        draw.line([place.at(turn, 0.25), place.at(turn + 0.03, 0.75)], fill=(96, 92, 78), width=2)
    for flange in (0.0, 0.85):
        draw.ellipse((*place.at(flange, 0.0), *place.at(flange + 0.15, 1.0)), fill=colour, outline=shade(colour, 0.5))
    draw.rectangle((*place.at(0.1, 0.85), *place.at(0.9, 1.1)), fill=shade(colour, 0.5))


def _basket(draw: ImageDraw.ImageDraw, place: Place, colour: Colour, _rng: np.random.Generator) -> None:
    draw.ellipse((*place.at(0.0, 0.0), *place.at(1.0, 0.5)), fill=shade(colour, 0.35), outline=colour, width=4)
    draw.polygon([place.at(0.0, 0.25), place.at(1.0, 0.25), place.at(0.85, 1.0), place.at(0.15, 1.0)], fill=colour)
    for bar in np.linspace(0.1, 0.9, 7):
        draw.line([place.at(bar, 0.3), place.at(0.15 + 0.7 * bar, 1.0)], fill=shade(colour, 0.6), width=2)


def _hatch(draw: ImageDraw.ImageDraw, place: Place, colour: Colour, rng: np.random.Generator) -> None:
    corners = [place.at(0.1, 0.0), place.at(1.3, 0.05), place.at(1.4, 0.6), place.at(0.0, 0.55)]
    draw.polygon(corners, fill=vary((30, 30, 32), rng))
    draw.line([*corners, corners[0]], fill=shade(colour, 0.9), width=max(3, int(place.height * 0.08)))


def _mat(draw: ImageDraw.ImageDraw, place: Place, _colour: Colour, rng: np.random.Generator) -> None:
    """Pale matting under a lamp: the brightest thing of many decks."""
    corners = [place.at(0.0, 0.0), place.at(1.9, 0.1), place.at(2.1, 0.6), place.at(-0.1, 0.5)]
    pale = vary((224, 226, 220), rng)
    draw.polygon(corners, fill=pale)
    for stripe in np.linspace(0.1, 1.8, 12):
        draw.line([place.at(stripe, 0.02), place.at(stripe, 0.55)], fill=shade(pale, 0.86), width=2)


def _line(draw: ImageDraw.ImageDraw, place: Place, colour: Colour, rng: np.random.Generator) -> None:
    """A line lying about in loops."""
    turns = np.linspace(0, rng.uniform(4, 12), 60)
    points = [
        place.at(0.5 + 0.06 * float(turn) + 0.4 * float(np.cos(turn)), 0.5 + 0.4 * float(np.sin(turn)))
        for turn in turns
    ]
    draw.line(points, fill=colour, width=int(rng.integers(2, 8)))


def _fish_like(draw: ImageDraw.ImageDraw, place: Place, _colour: Colour, rng: np.random.Generator) -> None:
    colour = vary(_FISH_LIKE[int(rng.integers(len(_FISH_LIKE)))], rng)
    draw.ellipse((*place.at(0.0, 0.0), *place.at(1.2, 0.4)), fill=colour)
    draw.ellipse((*place.at(0.15, 0.05), *place.at(1.0, 0.16)), fill=shade(colour, 1.3))


_DRAWERS: tuple[Drawer, ...] = (_crate, _pole, _winch, _basket, _hatch, _mat, _line, _fish_like)
_SHARES = (0.2, 0.18, 0.1, 0.12, 0.08, 0.06, 0.1, 0.16)
