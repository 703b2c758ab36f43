"""Draws one image of one camera: fish on the deck, people and gear before them, weather over all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from db.domain.boxes import Box
from db.domain.labels import LabelledBox
from db.domain.species import NO_FISH
from worker.sample_fleet.fish import draw_fish
from worker.sample_fleet.statistics import FISH, QUANTILES
from worker.sample_fleet.weather import Conditions, apply_conditions, draw_conditions, write_clock

# A fish of which less than this is seen is not labelled: people would not see it either.
MIN_VISIBLE = 0.3
OILSKINS = ((222, 106, 28), (226, 190, 40), (36, 92, 70), (40, 66, 120), (196, 200, 204))


_Drawn = tuple[str, np.ndarray, tuple[float, float], tuple[float, float]]  # species, mask, head, tail


@dataclass(frozen=True)
class CameraLook:
    """What stays the same in all images of a camera."""

    name: str
    deck: Image.Image
    cast: tuple[float, float, float]
    clock_corner: int
    lean_rad: float


@dataclass(frozen=True)
class SampleImage:
    """An image and its truth; species is the largest fish's, or `NoF`."""

    image: Image.Image
    species: str
    fish: tuple[LabelledBox, ...]
    conditions: Conditions


def draw_image(look: CameraLook, *, species: str, clock: str, rng: np.random.Generator) -> SampleImage:
    """Return one image of a camera with fish of a species (`NoF`: none), some partly hidden."""
    image = look.deck.copy()
    conditions = draw_conditions(rng)
    masks: list[_Drawn] = []
    for name in _fish_names(species, rng):
        _add_fish(image, name, look.lean_rad, masks, rng)
    hidden = _add_people(image, rng)
    image = apply_conditions(image, conditions, cast=look.cast, rng=rng)
    if look.clock_corner < 4:
        write_clock(image, corner=look.clock_corner, text=clock)
    fish = _visible(masks, hidden)
    largest = max(fish, key=lambda labelled: labelled.box.area_px, default=None)
    return SampleImage(image, largest.species if largest else NO_FISH, tuple(fish), conditions)


def _fish_names(species: str, rng: np.random.Generator) -> list[str]:
    if species == NO_FISH:
        return []
    counts = np.array(FISH[species].fish_per_image, dtype=np.float64)
    names = [species] * int(rng.choice(len(counts), p=counts / counts.sum()) + 1)
    if len(names) > 1 and rng.random() < 0.25:
        names[-1] = str(rng.choice([name for name in FISH if name != species]))
    return names


def _add_fish(image: Image.Image, species: str, lean_rad: float, masks: list[_Drawn], rng: np.random.Generator) -> None:
    stats = FISH[species]
    width, height = image.size
    length_px = max(14.0, _quantile(stats.length, rng) * width)
    x, y = _quantile(stats.centre_x, rng) * width, _quantile(stats.centre_y, rng) * height
    angle = lean_rad + rng.normal(0, 0.5) + (np.pi if rng.random() < 0.5 else 0)
    drawn = draw_fish(species, length_px=length_px, angle_rad=float(angle), rng=rng)
    left, top = int(x - drawn.layer.width / 2), int(y - drawn.layer.height / 2)
    alpha = drawn.layer.getchannel("A")
    shadow = alpha.filter(ImageFilter.GaussianBlur(length_px * 0.03)).point(lambda value: int(value * 0.45))
    image.paste((12, 14, 16), (left + int(length_px * 0.02), top + int(length_px * 0.04)), shadow)
    image.paste(drawn.layer, (left, top), alpha)
    mask = Image.new("L", image.size)
    mask.paste(alpha, (left, top), alpha)
    covers = np.asarray(mask) > 100
    for _name, earlier, _head, _tail in masks:
        earlier &= ~covers
    masks.append(
        (
            species,
            covers.copy(),
            (drawn.head[0] + left, drawn.head[1] + top),
            (drawn.tail[0] + left, drawn.tail[1] + top),
        )
    )


def _add_people(image: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """Draw people and gear; return what they hide, (H, W)."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.35, 0.35, 0.2, 0.1]))):
        _person(draw, image.size, rng)
    if rng.random() < 0.3:
        x, y = rng.uniform(0, image.width), rng.uniform(image.height * 0.3, image.height)
        end = (x + rng.normal(0, image.width * 0.3), y + rng.normal(0, image.height * 0.2))
        draw.line([(x, y), end], fill=(70, 62, 50, 255), width=int(rng.integers(3, 9)))
    layer = layer.filter(ImageFilter.GaussianBlur(1.2))
    image.paste(layer, (0, 0), layer.getchannel("A"))
    return np.asarray(layer.getchannel("A")) > 128


def _person(draw: ImageDraw.ImageDraw, size_px: tuple[int, int], rng: np.random.Generator) -> None:
    width, height = size_px
    tall = height * rng.uniform(0.3, 0.75)
    x, foot = width * rng.uniform(0.02, 0.98), height * rng.uniform(0.45, 1.15)
    base = np.array(OILSKINS[rng.integers(len(OILSKINS))]) + rng.normal(0, 14, 3)
    coat, dark = _rgba(base), _rgba(base * 0.62)
    broad, lean = tall * 0.15, rng.normal(0, tall * 0.12)
    for side in (-1, 1):
        knee = (x + side * broad * rng.uniform(0.4, 0.9), foot - tall * 0.25)
        draw.line(
            [(x + lean * 0.5, foot - tall * 0.48), knee, (x + side * broad * 0.6, foot)], fill=dark, width=int(broad)
        )
        hand = (x + lean + side * tall * rng.uniform(0.05, 0.3), foot - tall * rng.uniform(0.25, 0.6))
        draw.line([(x + lean + side * broad * 0.8, foot - tall * 0.78), hand], fill=coat, width=int(broad * 0.6))
        draw.ellipse((hand[0] - 7, hand[1] - 7, hand[0] + 7, hand[1] + 7), fill=(196, 150, 122, 255))
    top, hip = foot - tall * 0.84, foot - tall * 0.42
    draw.polygon(
        [(x + lean - broad, top), (x + lean + broad, top), (x + broad * 0.9, hip), (x - broad * 0.9, hip)], fill=coat
    )
    draw.polygon([(x + lean, top), (x + lean + broad, top), (x + broad * 0.9, hip)], fill=dark)
    head = tall * 0.065
    draw.ellipse(
        (x + lean * 1.2 - head, top - head * 2, x + lean * 1.2 + head, top + head * 0.3), fill=(188, 142, 116, 255)
    )
    draw.pieslice((x + lean * 1.2 - head, top - head * 2.2, x + lean * 1.2 + head, top), 180, 360, fill=dark)


def _visible(masks: list[_Drawn], hidden: np.ndarray) -> list[LabelledBox]:
    found = []
    for species, mask, head, tail in masks:
        seen = mask & ~hidden
        rows, columns = np.nonzero(seen)
        whole = max(1.0, np.hypot(head[0] - tail[0], head[1] - tail[1]) ** 2 * 0.12)
        if len(rows) < max(60, MIN_VISIBLE * whole):
            continue
        box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        found.append(LabelledBox(box, species, head, tail))
    return found


def _quantile(values: tuple[float, ...], rng: np.random.Generator) -> float:
    share = rng.uniform(0.02, 0.98)
    return float(np.interp(share, (0.0, *QUANTILES, 1.0), (values[0] * 0.8, *values, min(0.97, values[-1] * 1.1))))


def _rgba(colour: np.ndarray) -> tuple[int, int, int, int]:
    red, green, blue = colour.clip(0, 255).astype(int).tolist()
    return (red, green, blue, 255)
