"""Plans what happens before a camera: animals come over the rail, are handled, covered, turned, put down, taken away.

A plan is the truth of a sequence without a pixel: where every animal is at any moment, and how much of it is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from db.domain.species import NO_FISH
from worker.sample_fleet.statistics import CAMERAS, FISH, QUANTILES

Span = tuple[float, float]
"""Seconds from ... to ... since the camera's plan begins."""

SAME_SPECIES_AGAIN = 0.35
ARRIVAL_GAP_S = 30.0
SHORTEST_GAP_S = 5.0
# An animal of which less is seen is not in the truth of an image: people would not see it either.
MIN_VISIBLE = 0.3


@dataclass(frozen=True)
class Knot:
    """Where an animal is at a moment. x, y: its middle, shares of the image's width and height. angle: radians."""

    time_s: float
    x: float
    y: float
    angle_rad: float


@dataclass(frozen=True)
class Cover:
    """A stretch in which crew or gear hides a share of an animal, from one end: 1 or -1."""

    span_s: Span
    hidden: float
    end: int


@dataclass(frozen=True)
class Pose:
    """An animal at a moment. x, y: its middle, shares of the image. mirrored: it lies on its other side.

    hidden_end: which end is hidden where a part is, 1 or -1.
    """

    x: float
    y: float
    angle_rad: float
    mirrored: bool
    visible: float
    hidden_end: int


@dataclass(frozen=True)
class PlannedAnimal:
    """One animal's way. length: share of the image's width. seed: of its own look. turned_s: when it is turned over."""

    animal: int
    species: str
    seed: int
    length: float
    knots: tuple[Knot, ...]
    covers: tuple[Cover, ...]
    turned_s: tuple[float, ...]

    @property
    def span_s(self) -> Span:
        """From when to when it is before the camera."""
        return self.knots[0].time_s, self.knots[-1].time_s

    def covers_at(self, time_s: float) -> list[Cover]:
        """Return what hides it at a moment."""
        return [one for one in self.covers if one.span_s[0] <= time_s < one.span_s[1]]

    def pose_at(self, time_s: float) -> Pose | None:
        """Return where it is, None before it comes and after it is gone."""
        if not self.span_s[0] <= time_s <= self.span_s[1]:
            return None
        times = [knot.time_s for knot in self.knots]
        x, y, angle = (
            float(np.interp(time_s, times, values))
            for values in zip(*((knot.x, knot.y, knot.angle_rad) for knot in self.knots), strict=True)
        )
        covers = self.covers_at(time_s)
        hidden = max((one.hidden for one in covers), default=0.0)
        end = covers[0].end if covers else 1
        turned = sum(turn <= time_s for turn in self.turned_s) % 2 == 1
        return Pose(x, y, angle, turned, _inside(x, y) * (1.0 - hidden), end)


@dataclass(frozen=True)
class CameraPlan:
    """What happens before one camera. stops: the recorder stands still. bumps: (time, shift of the view in x, y)."""

    number: int
    name: str
    size_px: tuple[int, int]
    duration_s: float
    animals: tuple[PlannedAnimal, ...]
    stops_s: tuple[Span, ...]
    sprays_s: tuple[Span, ...]
    bumps: tuple[tuple[float, float, float], ...]
    decoys: tuple[tuple[float, float], ...]

    def image_times(self, per_second: float) -> Iterator[float]:
        """Yield when images are taken, seconds."""
        for number in range(int(self.duration_s * per_second)):
            time_s = number / per_second
            if not any(start <= time_s < end for start, end in self.stops_s):
                yield time_s

    def recorded(self) -> list[PlannedAnimal]:
        """Return the animals of which enough was seen at some moment that the camera recorded."""
        return [animal for animal in self.animals if any(self._is_seen(animal, time_s) for time_s in _moments(animal))]

    def _is_seen(self, animal: PlannedAnimal, time_s: float) -> bool:
        pose = animal.pose_at(time_s)
        stopped = any(start <= time_s < end for start, end in self.stops_s)
        return not stopped and pose is not None and pose.visible >= MIN_VISIBLE

    def shift_at(self, time_s: float) -> tuple[float, float]:
        """Return how far the view has been knocked by then, shares of the image."""
        passed = [bump for bump in self.bumps if bump[0] <= time_s]
        return sum(bump[1] for bump in passed), sum(bump[2] for bump in passed)

    def has_spray(self, time_s: float) -> bool:
        """Whether there is spray on the lens."""
        return any(start <= time_s < end for start, end in self.sprays_s)

    def seen_at(self, time_s: float) -> list[tuple[PlannedAnimal, Pose]]:
        """Return the animals of which enough is seen, each with its pose in the view as it is then."""
        dx, dy = self.shift_at(time_s)
        found = []
        for animal in self.animals:
            pose = animal.pose_at(time_s)
            if pose is not None and pose.visible >= MIN_VISIBLE:
                found.append((animal, replace(pose, x=pose.x + dx, y=pose.y + dy)))
        return found


def _moments(animal: PlannedAnimal) -> Iterator[float]:
    """Yield moments of an animal's stay, ten a second."""
    start_s, end_s = animal.span_s
    yield from (start_s + number / 10 for number in range(int((end_s - start_s) * 10)))


def plan_camera(number: int, *, seed: int, duration_s: float) -> CameraPlan:
    """Return what happens before a camera; the same seed and number plan the same."""
    rng = np.random.default_rng([seed, 11, number])
    layout = _draw_layout(rng)
    return CameraPlan(
        number=number,
        name=f"boat_{number:02d}",
        size_px=CAMERAS[number % len(CAMERAS)].size_px,
        duration_s=duration_s,
        animals=tuple(_animals(number, layout, duration_s, rng)),
        stops_s=_spans(rng, duration_s, every_s=900, lasts_s=(30, 120)),
        sprays_s=_spans(rng, duration_s, every_s=300, lasts_s=(3, 15)),
        bumps=_bumps(rng, duration_s),
        decoys=tuple(
            (float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.3, 0.95))) for _ in range(rng.integers(0, 3))
        ),
    )


@dataclass(frozen=True)
class _Layout:
    """Where things happen before one camera, shares of the image."""

    rail: tuple[float, float]
    work: tuple[float, float]
    put_down: tuple[float, float]
    away: tuple[float, float]
    lean_rad: float


def _draw_layout(rng: np.random.Generator) -> _Layout:
    side = 0.0 if rng.random() < 0.5 else 1.0
    work = (float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.45, 0.7)))
    put_down = (work[0] + float(rng.uniform(-0.15, 0.15)), float(rng.uniform(0.6, 0.85)))
    rail = (side, float(rng.uniform(0.2, 0.5)))
    return _Layout(rail, work, put_down, (1.0 - side, float(rng.uniform(0.5, 1.0))), float(rng.normal(0, 0.7)))


def _animals(number: int, layout: _Layout, duration_s: float, rng: np.random.Generator) -> Iterator[PlannedAnimal]:
    counts = {name: count for name, count in CAMERAS[number % len(CAMERAS)].species.items() if name != NO_FISH}
    # The root of the counts: a camera that sees one species only would say nothing about telling species apart.
    shares = np.array([counts.get(name, 0) + 4 for name in FISH], dtype=np.float64) ** 0.5
    species, arrives_s, index = "", float(rng.uniform(2, 15)), 0
    while arrives_s < duration_s - 5:
        if not species or rng.random() > SAME_SPECIES_AGAIN:
            species = str(rng.choice(list(FISH), p=shares / shares.sum()))
        animal = _animal(number * 10_000 + index, species, layout, arrives_s, rng)
        if animal.span_s[1] < duration_s:
            yield animal
        arrives_s += SHORTEST_GAP_S + float(rng.exponential(ARRIVAL_GAP_S))
        index += 1


def _animal(animal: int, species: str, layout: _Layout, arrives_s: float, rng: np.random.Generator) -> PlannedAnimal:
    knots = [Knot(arrives_s, *layout.rail, layout.lean_rad + float(rng.normal(0, 0.5)))]
    _go(knots, layout.work, rng, within_s=(1.0, 3.0), spread=0.04)
    brief = rng.random() < 0.06
    handled_until_s = knots[-1].time_s + float(rng.uniform(2, 4) if brief else rng.uniform(5, 25))
    while knots[-1].time_s < handled_until_s:
        _go(knots, layout.work, rng, within_s=(0.7, 3.0), spread=0.05)
    if not brief:
        _go(knots, layout.put_down, rng, within_s=(0.8, 2.0), spread=0.07)
        lies = knots[-1]
        knots.append(Knot(lies.time_s + float(rng.uniform(5, 35)), lies.x, lies.y, lies.angle_rad))
    _go(knots, layout.away, rng, within_s=(1.0, 3.0), spread=0.03)
    share = float(rng.uniform(0.05, 0.95))
    return PlannedAnimal(
        animal=animal,
        species=species,
        seed=int(rng.integers(1 << 31)),
        length=float(np.interp(share, QUANTILES, FISH[species].length)),
        knots=tuple(knots),
        covers=tuple(_covers(knots[1].time_s, knots[-2].time_s, rng)),
        turned_s=tuple(sorted(rng.uniform(knots[1].time_s, knots[-2].time_s, int(rng.integers(0, 3))).tolist())),
    )


def _go(knots: list[Knot], to: tuple[float, float], rng: np.random.Generator, *, within_s: Span, spread: float) -> None:
    x, y = (float(value + rng.normal(0, spread)) for value in to)
    turned_rad = knots[-1].angle_rad + float(rng.normal(0, 0.35))
    knots.append(Knot(knots[-1].time_s + float(rng.uniform(*within_s)), x, y, turned_rad))


def _covers(start_s: float, end_s: float, rng: np.random.Generator) -> Iterator[Cover]:
    """Crew stand before an animal again and again, mostly for a moment, sometimes for long."""
    time_s = start_s + float(rng.exponential(4))
    while time_s < end_s - 1:
        lasts_s = float(rng.uniform(0.5, 4) if rng.random() < 0.75 else rng.uniform(4, 20))
        yield Cover(
            (time_s, min(time_s + lasts_s, end_s - 0.5)), 1.0 if rng.random() < 0.6 else 0.5, int(rng.choice((-1, 1)))
        )
        time_s += lasts_s + float(rng.exponential(8))


def _hidden(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.6 else 0.5


def _spans(rng: np.random.Generator, duration_s: float, *, every_s: float, lasts_s: Span) -> tuple[Span, ...]:
    starts = rng.uniform(0, duration_s, rng.poisson(duration_s / every_s))
    return tuple(sorted((float(start), float(start + rng.uniform(*lasts_s))) for start in starts))


def _bumps(rng: np.random.Generator, duration_s: float) -> tuple[tuple[float, float, float], ...]:
    times = sorted(rng.uniform(0, duration_s, rng.poisson(duration_s / 1200)).tolist())
    return tuple((float(time_s), float(rng.normal(0, 0.03)), float(rng.normal(0, 0.03))) for time_s in times)


def _decoys(rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """Return places of things that lie about and look like fish at times, shares of the image."""
    return tuple((float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.3, 0.95))) for _ in range(rng.integers(0, 3)))


def _inside(x: float, y: float) -> float:
    """Return how much of an animal with its middle there is within the image, roughly: half of it at the border."""
    margin = min(x, 1 - x, y, 1 - y)
    return float(np.clip(0.5 + margin / 0.08, 0.0, 1.0))
