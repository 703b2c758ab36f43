"""Plans what one image shows, before it is drawn, so that the next frame can show the same a moment later."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from db.domain.species import NO_FISH
from worker.sample_fleet.crew import Person
from worker.sample_fleet.look import CameraLook
from worker.sample_fleet.statistics import FISH, QUANTILES
from worker.sample_fleet.weather import Conditions, draw_conditions

_SQRT_AREA_OF_LENGTH = 0.7  # of a fish lying at a usual slant
_USUAL_LENGTH = 0.17  # the median length over all species, share of the width
_LONGEST = 0.62  # of the width; more would be a fish before the lens


@dataclass(frozen=True)
class PlacedFish:
    """A fish on the deck. x_px, y_px: its middle. angle_rad: 0 with the head to the left. seed: its own look."""

    species: str
    length_px: float
    x_px: float
    y_px: float
    angle_rad: float
    seed: int


@dataclass(frozen=True)
class Scene:
    """What an image shows, in drawing order."""

    fish: tuple[PlacedFish, ...]
    crew: tuple[Person, ...]
    conditions: Conditions
    washed_over: bool


def plan_scene(look: CameraLook, *, species: str, rng: np.random.Generator) -> Scene:
    """Return a scene of a camera with fish of a species (`NoF`: none)."""
    conditions = draw_conditions(rng, night_share=look.night_share)
    fish = tuple(_placed(look, name, rng) for name in _fish_names(species, rng))
    people = int(rng.choice([0, 1, 2, 3], p=[0.3, 0.35, 0.22, 0.13]))
    crew = tuple(_person(look.deck.image.size, rng) for _ in range(people))
    return Scene(fish, crew, conditions, bool(rng.random() < look.foam_share))


def a_moment_later(scene: Scene, *, width_px: int, rng: np.random.Generator) -> Scene:
    """Return the next frame's scene: the same fish hardly moved, the same people somewhere beside."""
    return replace(
        scene,
        fish=tuple(
            replace(
                one,
                x_px=one.x_px + float(rng.normal(0, 0.003 * width_px)),
                y_px=one.y_px + float(rng.normal(0, 0.003 * width_px)),
                angle_rad=one.angle_rad + float(rng.normal(0, 0.03)),
            )
            for one in scene.fish
        ),
        crew=tuple(replace(one, x_px=one.x_px + float(rng.normal(0, 0.02 * width_px))) for one in scene.crew),
    )


def fish_length_px(look: CameraLook, length: float) -> float:
    """Return how long a fish is before a camera. length: as the fleet's statistics say, a share of the width.

    Most of what those spread is the cameras' own distance, which the look tells; so the root of it is the fish's own.
    """
    width_px = look.deck.image.width
    usual_px = look.fish_px_at_640 / _SQRT_AREA_OF_LENGTH * width_px / 640
    return float(np.clip(usual_px * np.sqrt(length / _USUAL_LENGTH), 14.0, _LONGEST * width_px))


def _fish_names(species: str, rng: np.random.Generator) -> list[str]:
    if species == NO_FISH:
        return []
    counts = np.array(FISH[species].fish_per_image, dtype=np.float64)
    names = [species] * int(rng.choice(len(counts), p=counts / counts.sum()) + 1)
    if len(names) > 1 and rng.random() < 0.25:
        names[-1] = str(rng.choice([name for name in FISH if name != species]))
    return names


def _placed(look: CameraLook, species: str, rng: np.random.Generator) -> PlacedFish:
    stats, (width, height) = FISH[species], look.deck.image.size
    length_px = fish_length_px(look, _quantile(stats.length, rng)) * np.exp(rng.normal(0, 0.1))
    return PlacedFish(
        species,
        length_px=float(np.clip(length_px, 14.0, _LONGEST * width)),
        x_px=_quantile(stats.centre_x, rng) * width,
        y_px=_quantile(stats.centre_y, rng) * height,
        angle_rad=float(look.lean_rad + rng.normal(0, 0.5) + (np.pi if rng.random() < 0.5 else 0)),
        seed=int(rng.integers(2**31)),
    )


def _person(size_px: tuple[int, int], rng: np.random.Generator) -> Person:
    width, height = size_px
    return Person(
        x_px=float(width * rng.uniform(0.02, 0.98)),
        foot_px=float(height * rng.uniform(0.45, 1.15)),
        tall_px=float(height * rng.uniform(0.22, 0.75)),
        seed=int(rng.integers(2**31)),
    )


def _quantile(values: tuple[float, ...], rng: np.random.Generator) -> float:
    share = rng.uniform(0.02, 0.98)
    return float(np.interp(share, (0.0, *QUANTILES, 1.0), (values[0] * 0.8, *values, min(0.97, values[-1] * 1.1))))
