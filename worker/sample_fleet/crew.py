"""Draws people at work in bright gear: hats, gloves, trousers and boots are what a detector takes for fish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

Rgba = tuple[int, int, int, int]
_BRIGHT = (
    (232, 106, 28),
    (236, 200, 40),
    (36, 92, 70),
    (40, 66, 150),
    (206, 210, 214),
    (200, 36, 40),
    (176, 222, 50),
)
_BOOTS = ((30, 30, 34), (232, 232, 226), (236, 190, 40), (36, 92, 120))
_GLOVES = ((236, 140, 60), (60, 110, 190), (230, 230, 226), (196, 150, 122))


@dataclass(frozen=True)
class Person:
    """Where someone stands. x_px, foot_px: between the feet. tall_px: crouching ones are short. seed: their look."""

    x_px: float
    foot_px: float
    tall_px: float
    seed: int


def draw_person(draw: ImageDraw.ImageDraw, person: Person) -> None:
    """Draw someone onto an RGBA layer; the same person in the same clothes every time, in the pose of their seed."""
    rng = np.random.default_rng([person.seed, 41])
    coat, trousers, boots, glove, hat = (
        _pick(colours, rng) for colours in (_BRIGHT, _BRIGHT, _BOOTS, _GLOVES, _BRIGHT)
    )
    lean = float(rng.normal(0, 0.14))
    for side in (-1, 1):
        _leg(draw, person, side, lean, trousers, boots, rng)
    _trunk(draw, person, lean, coat)
    for side in (-1, 1):
        _arm(draw, person, side, lean, coat, glove, rng)
    _head(draw, person, lean, hat)


def _leg(
    draw: ImageDraw.ImageDraw,
    person: Person,
    side: int,
    lean: float,
    trousers: Rgba,
    boots: Rgba,
    rng: np.random.Generator,
) -> None:
    tall, x, foot = person.tall_px, person.x_px, person.foot_px
    hip = (x + lean * tall * 0.5, foot - tall * 0.48)
    knee = (x + side * tall * rng.uniform(0.06, 0.14), foot - tall * 0.25)
    ankle = (x + side * tall * 0.09, foot - tall * 0.06)
    draw.line([hip, knee, ankle], fill=trousers, width=max(2, int(tall * 0.14)), joint="curve")
    toe = ankle[0] + side * tall * 0.1
    draw.polygon([(ankle[0] - tall * 0.05, ankle[1] - tall * 0.08), (toe, foot), (ankle[0] - tall * 0.05, foot)], boots)


def _trunk(draw: ImageDraw.ImageDraw, person: Person, lean: float, coat: Rgba) -> None:
    tall, x, foot = person.tall_px, person.x_px, person.foot_px
    middle, top, hip, broad = x + lean * tall, foot - tall * 0.84, foot - tall * 0.42, tall * 0.15
    draw.polygon([(middle - broad, top), (middle + broad, top), (x + broad, hip), (x - broad, hip)], fill=coat)
    dark: Rgba = (int(coat[0] * 0.62), int(coat[1] * 0.62), int(coat[2] * 0.62), 255)
    draw.polygon([(middle, top), (middle + broad, top), (x + broad, hip)], fill=dark)


def _arm(
    draw: ImageDraw.ImageDraw,
    person: Person,
    side: int,
    lean: float,
    coat: Rgba,
    glove: Rgba,
    rng: np.random.Generator,
) -> None:
    tall = person.tall_px
    shoulder = (person.x_px + lean * tall + side * tall * 0.12, person.foot_px - tall * 0.78)
    hand = (shoulder[0] + side * tall * rng.uniform(-0.02, 0.25), person.foot_px - tall * rng.uniform(0.25, 0.6))
    draw.line([shoulder, hand], fill=coat, width=max(2, int(tall * 0.085)))
    radius = tall * 0.04
    draw.ellipse((hand[0] - radius, hand[1] - radius * 0.7, hand[0] + radius * 1.4, hand[1] + radius), fill=glove)


def _head(draw: ImageDraw.ImageDraw, person: Person, lean: float, hat: Rgba) -> None:
    tall, radius = person.tall_px, person.tall_px * 0.065
    x, y = person.x_px + lean * tall * 1.2, person.foot_px - tall * 0.9
    draw.ellipse((x - radius, y - radius, x + radius, y + radius * 1.2), fill=(188, 142, 116, 255))
    draw.pieslice((x - radius * 1.1, y - radius * 1.3, x + radius * 1.1, y + radius * 0.9), 180, 360, fill=hat)
    draw.ellipse((x - radius * 1.6, y - radius * 0.35, x + radius * 1.6, y + radius * 0.05), fill=hat)


def _pick(colours: tuple[tuple[int, int, int], ...], rng: np.random.Generator) -> Rgba:
    red, green, blue = (np.array(colours[int(rng.integers(len(colours)))]) + rng.normal(0, 12, 3)).clip(0, 255).tolist()
    return (int(red), int(green), int(blue), 255)
