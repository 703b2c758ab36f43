"""Sightings as a detector would give them of planned sequences, without drawing a pixel: to learn and measure events.

The noise is set, not measured: how often an animal is missed, how boxes shake, how often something else is taken for a
fish and how sure the species is. `bench.events` also runs the real detector on drawn images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from db.domain.boxes import Box, clip_box
from worker.events.fuse import softmax
from worker.events.sightings import CameraSequence, SequenceImage, Sighting
from worker.sample_fleet.fish import BUILDS
from worker.sample_fleet.plan_sequences import CameraPlan, PlannedAnimal, Pose
from worker.sample_fleet.statistics import FISH

SPECIES = tuple(FISH)
_LOOK = 6
_OTHER_DEPTH = 0.25


@dataclass(frozen=True)
class DetectorNoise:
    """How a detector errs. found, found_hidden, found_in_spray: chances that an animal is found.

    shake: of a box's sides, shares. false_alarms: an image. decoy: chance a decoy is taken for a fish.
    sure: how far the true species leads in logits; animal_doubt, image_doubt: spread of what adds to them for the whole
    animal and for each image. look: spread of a look within an animal; of all a camera's sightings it is about 1.
    """

    found: float = 0.93
    found_hidden: float = 0.6
    found_in_spray: float = 0.45
    shake: float = 0.04
    false_alarms: float = 0.02
    decoy: float = 0.04
    sure: float = 3.2
    animal_doubt: float = 0.6
    image_doubt: float = 1.2
    look: float = 0.5


@dataclass(frozen=True)
class SimulatedCamera:
    """A camera's sightings with the truth. animal_of: which animal each sighting shows, None: none.

    species_of: the species of every animal that the camera could record, sighted or not.
    """

    sequence: CameraSequence
    animal_of: dict[int, int | None]
    species_of: dict[int, str]


def simulate_camera(
    plan: CameraPlan, *, per_second: float, seed: int, noise: DetectorNoise | None = None
) -> SimulatedCamera:
    """Return what a detector says of a planned camera's images. per_second: images."""
    maker = _Maker(plan, noise or DetectorNoise(), np.random.default_rng([seed, 12, plan.number]))
    images = tuple(maker.image(key, time_s) for key, time_s in enumerate(plan.image_times(per_second)))
    width_px, height_px = plan.size_px
    species_of = {animal.animal: animal.species for animal in plan.recorded()}
    return SimulatedCamera(CameraSequence(plan.name, width_px, height_px, images), maker.animal_of, species_of)


class _Maker:
    def __init__(self, plan: CameraPlan, noise: DetectorNoise, rng: np.random.Generator) -> None:
        self.animal_of: dict[int, int | None] = {}
        self._plan, self._noise, self._rng = plan, noise, rng

    def image(self, key: int, time_s: float) -> SequenceImage:
        seen = [self._animal(key, time_s, animal, pose) for animal, pose in self._plan.seen_at(time_s)]
        false = [self._false_alarm(key, time_s, place) for place in self._alarms()]
        return SequenceImage(key, time_s, tuple(one for one in (*seen, *false) if one is not None))

    def _animal(self, key: int, time_s: float, animal: PlannedAnimal, pose: Pose) -> Sighting | None:
        noise, rng = self._noise, self._rng
        chance = noise.found if pose.visible > 0.75 else noise.found_hidden
        chance *= noise.found_in_spray if self._plan.has_spray(time_s) else 1.0
        box = self._box(animal, pose)
        if rng.random() > chance or box is None:
            return None
        traits = _traits(animal.seed, animal.species, noise.animal_doubt)
        logits = noise.sure * traits.species + traits.doubt + rng.normal(0, noise.image_doubt, len(SPECIES))
        look = traits.look + rng.normal(0, noise.look, _LOOK)
        confidence = float(np.clip(rng.normal(0.75 * pose.visible**0.5, 0.12), 0.05, 0.99))
        return self._sighting(key, time_s, box, confidence, logits, look, animal.animal)

    def _false_alarm(self, key: int, time_s: float, place: tuple[float, float]) -> Sighting | None:
        rng, (width, height) = self._rng, self._plan.size_px
        side = width * float(rng.uniform(0.06, 0.2))
        x, y = place[0] * width, place[1] * height
        box = clip_box(Box(x - side / 2, y - side / 4, x + side / 2, y + side / 4), width_px=width, height_px=height)
        logits = rng.normal(0, self._noise.image_doubt, len(SPECIES))
        confidence = float(np.clip(rng.normal(0.35, 0.15), 0.05, 0.95))
        look = rng.normal(0, 1.5, _LOOK)
        return None if box is None else self._sighting(key, time_s, box, confidence, logits, look, None)

    def _sighting(
        self,
        key: int,
        time_s: float,
        box: Box,
        confidence: float,
        logits: np.ndarray,
        look: np.ndarray,
        animal: int | None,
    ) -> Sighting:
        number = len(self.animal_of)
        self.animal_of[number] = animal
        species = tuple(softmax(logits).tolist())
        return Sighting(number, key, time_s, box, confidence, species, tuple(look.tolist()))

    def _alarms(self) -> list[tuple[float, float]]:
        rng = self._rng
        places = [decoy for decoy in self._plan.decoys if rng.random() < self._noise.decoy]
        chance = [
            (float(rng.uniform()), float(rng.uniform(0.2, 1))) for _ in range(rng.poisson(self._noise.false_alarms))
        ]
        return places + chance

    def _box(self, animal: PlannedAnimal, pose: Pose) -> Box | None:
        """The box around the turned body, of which a hidden share is missing at one end, shaken, inside the image."""
        (width, height), rng = self._plan.size_px, self._rng
        long_px = animal.length * width
        build = BUILDS.get(animal.species)
        deep_px = long_px * (build.depth if build else _OTHER_DEPTH)
        cos, sin = abs(np.cos(pose.angle_rad)), abs(np.sin(pose.angle_rad))
        sides = np.array([np.hypot(long_px * cos, deep_px * sin), np.hypot(long_px * sin, deep_px * cos)])
        middle = np.array([pose.x * width, pose.y * height])
        hidden = 1.0 - pose.visible
        if hidden > 0.05:  # what is left of it is the part towards a side
            axis, end = int(cos < sin), pose.hidden_end
            middle[axis] += end * sides[axis] * hidden / 2
            sides[axis] *= 1.0 - hidden
        sides = sides * np.exp(rng.normal(0, self._noise.shake, 2))
        middle = middle + sides * rng.normal(0, self._noise.shake, 2)
        low, high = middle - sides / 2, middle + sides / 2
        box = Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        return clip_box(box, width_px=width, height_px=height)


@dataclass(frozen=True, eq=False)
class _Traits:
    """What is an animal's own. species: (S,) one-hot. doubt: (S,) logits. look: (L,)."""

    species: np.ndarray
    doubt: np.ndarray
    look: np.ndarray


@lru_cache(maxsize=4096)
def _traits(seed: int, species: str, doubt: float) -> _Traits:
    rng = np.random.default_rng([seed, 13])
    truth = np.eye(len(SPECIES))[SPECIES.index(species)]
    # Half of a look is the species', half the animal's own.
    shared = np.random.default_rng([SPECIES.index(species), 14]).normal(0, 0.6, _LOOK)
    return _Traits(truth, rng.normal(0, doubt, len(SPECIES)), shared + rng.normal(0, 0.6, _LOOK))
