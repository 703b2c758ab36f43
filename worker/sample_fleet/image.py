"""Draws one image of one camera: fish on the deck, people before them, foam, weather and burned-in text over all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from db.domain.boxes import Box
from db.domain.labels import LabelledBox
from db.domain.species import NO_FISH
from worker.sample_fleet.banner import burn_in
from worker.sample_fleet.crew import draw_person
from worker.sample_fleet.fish import draw_fish
from worker.sample_fleet.foam import draw_foam
from worker.sample_fleet.look import CameraLook
from worker.sample_fleet.scene import PlacedFish, Scene
from worker.sample_fleet.weather import Conditions, apply_conditions

# A fish of which less than this is seen is not labelled: people would not see it either.
MIN_VISIBLE = 0.3

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SampleImage:
    """An image and its truth; species is the largest fish's, or `NoF`. places: which fish of the scene each one is."""

    image: Image.Image
    species: str
    fish: tuple[LabelledBox, ...]
    conditions: Conditions
    places: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A fish as it lies in the image. mask: (H, W), what it covers. head, tail: pixels."""

    species: str
    mask: Mask
    head: tuple[float, float]
    tail: tuple[float, float]


def draw_scene(look: CameraLook, scene: Scene, *, clock: str, rng: np.random.Generator) -> SampleImage:
    """Return the image of a scene; fish partly hidden are boxed as far as they are seen. clock: its date and time."""
    image = look.deck.image.copy()
    drawn: list[_Drawn] = []
    for placed in scene.fish:
        drawn.append(_add_fish(image, placed, drawn))
    hidden = _add_crew(image, scene, rng)
    dry = hidden | np.any([one.mask for one in drawn], axis=0)  # what is hauled in lies above the foam
    image = draw_foam(image, water=look.deck.water & ~dry, deck=~look.deck.water & ~dry & scene.washed_over, rng=rng)
    image = apply_conditions(image, scene.conditions, cast=look.cast, contrast=look.contrast, rng=rng)
    burn_in(image, look.banner, clock=clock, rng=rng)
    seen = {place: labelled for place, one in enumerate(drawn) if (labelled := _visible(one, hidden)) is not None}
    largest = max(seen.values(), key=lambda labelled: labelled.box.area_px, default=None)
    species = largest.species if largest else NO_FISH
    return SampleImage(image, species, tuple(seen.values()), scene.conditions, tuple(seen))


def _add_fish(image: Image.Image, placed: PlacedFish, below: list[_Drawn]) -> _Drawn:
    """Draw a fish with its shadow onto the image; what it covers of the fish below it is taken from their masks."""
    length_px = placed.length_px
    rng = np.random.default_rng([placed.seed, 31])
    drawn = draw_fish(placed.species, length_px=length_px, angle_rad=placed.angle_rad, rng=rng)
    left, top = int(placed.x_px - drawn.layer.width / 2), int(placed.y_px - drawn.layer.height / 2)
    alpha = drawn.layer.getchannel("A")
    shadow = alpha.filter(ImageFilter.GaussianBlur(length_px * 0.03)).point(lambda value: int(value * 0.45))
    image.paste((12, 14, 16), (left + int(length_px * 0.02), top + int(length_px * 0.04)), shadow)
    image.paste(drawn.layer, (left, top), alpha)
    cover = Image.new("L", image.size)
    cover.paste(alpha, (left, top), alpha)
    mask = np.asarray(cover) > 100
    for earlier in below:
        earlier.mask[mask] = False
    head, tail = ((x + left, y + top) for x, y in (drawn.head, drawn.tail))
    return _Drawn(placed.species, mask.copy(), head, tail)


def _add_crew(image: Image.Image, scene: Scene, rng: np.random.Generator) -> Mask:
    """Draw people and lines before the fish; return what they hide, (H, W)."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for person in scene.crew:
        draw_person(draw, person)
    if rng.random() < 0.3:
        x, y = rng.uniform(0, image.width), rng.uniform(image.height * 0.3, image.height)
        end = (x + rng.normal(0, image.width * 0.3), y + rng.normal(0, image.height * 0.2))
        draw.line([(x, y), end], fill=(70, 62, 50, 255), width=int(rng.integers(3, 9)))
    layer = layer.filter(ImageFilter.GaussianBlur(1.2))
    image.paste(layer, (0, 0), layer.getchannel("A"))
    return np.asarray(layer.getchannel("A")) > 128


def _visible(drawn: _Drawn, hidden: Mask) -> LabelledBox | None:
    rows, columns = np.nonzero(drawn.mask & ~hidden)
    whole = np.hypot(drawn.head[0] - drawn.tail[0], drawn.head[1] - drawn.tail[1]) ** 2 * 0.12
    if len(rows) < max(60.0, MIN_VISIBLE * float(whole)):
        return None
    box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    return LabelledBox(box, drawn.species, drawn.head, drawn.tail)
