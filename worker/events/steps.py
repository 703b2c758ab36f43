"""What the network that follows an animal is shown of a step: a track, and how it relates to the track before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from db.domain.boxes import iou
from worker.events.sightings import CameraSequence, Floats, Sighting, Track

MAX_STEPS = 6
INPUTS = 30


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What is known of a camera's sequence as a whole.

    times_s: of all images, (N,), rising. interval_s: the usual time between two. busy: sightings in each image, (N,).
    """

    width_px: int
    height_px: int
    times_s: Floats
    interval_s: float
    busy: Floats

    def images_between(self, start_s: float, end_s: float) -> int:
        """Return how many images were taken after one moment and before another."""
        after = np.searchsorted(self.times_s, start_s, side="right")
        return max(0, int(np.searchsorted(self.times_s, end_s, side="left") - after))

    def busy_at(self, time_s: float) -> float:
        """Return how many sightings the image of a moment has."""
        return float(self.busy[min(int(np.searchsorted(self.times_s, time_s)), len(self.busy) - 1)])


def surroundings(sequence: CameraSequence) -> Surroundings:
    """Return what is known of a sequence as a whole."""
    times_s = np.array([image.time_s for image in sequence.images])
    interval_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
    busy = np.array([len(image.sightings) for image in sequence.images], dtype=np.float64)
    return Surroundings(sequence.width_px, sequence.height_px, times_s, max(interval_s, 1e-3), busy)


@dataclass(frozen=True, eq=False)
class _Known:
    """What a history says of its animal. log_species: (S,). look: (L,). long_px: its longer side where it is whole."""

    sightings: int
    log_species: Floats
    look: Floats
    long_px: float

    def with_track(self, track: Track) -> _Known:
        count = self.sightings + len(track.sightings)
        share = len(track.sightings) / count
        return _Known(
            count,
            (1 - share) * self.log_species + share * track.log_species,
            (1 - share) * self.look + share * track.look,
            (1 - share) * self.long_px + share * _longest(track),
        )


class StepInputs:
    """Makes the inputs of histories within one sequence; what was made is kept: histories share their beginnings."""

    def __init__(self, sequence: CameraSequence) -> None:
        self._around = surroundings(sequence)
        self._steps: dict[tuple[Track, ...], Floats] = {}
        self._known: dict[tuple[Track, ...], _Known] = {}
        self._of_track: dict[Track, list[float]] = {}

    def of_history(self, history: Sequence[Track]) -> tuple[Floats, Floats]:
        """Return the steps of one animal and the species seen at each: (T, F) and (T, S), the last `MAX_STEPS`.

        Every figure lies within a few units of 0.
        """
        whole = tuple(history)
        ends = range(max(0, len(whole) - MAX_STEPS), len(whole))
        steps = np.stack([self._step(whole[: end + 1]) for end in ends])
        return steps, np.stack([whole[end].log_species for end in ends])

    def _step(self, history: tuple[Track, ...]) -> Floats:
        if history not in self._steps:
            now, before = history[-1], history[:-1]
            if now not in self._of_track:
                self._of_track[now] = _of_track(now, self._around)
            pair = _of_pair(before[-1], self._known_of(before), now, self._around) if before else _FIRST
            self._steps[history] = np.array([*self._of_track[now], *pair])
        return self._steps[history]

    def _known_of(self, history: tuple[Track, ...]) -> _Known:
        if history not in self._known:
            last = history[-1]
            first = _Known(len(last.sightings), last.log_species, last.look, _longest(last))
            self._known[history] = self._known_of(history[:-1]).with_track(last) if history[:-1] else first
        return self._known[history]


def _of_track(now: Track, around: Surroundings) -> list[float]:
    first, last = now.sightings[0], now.sightings[-1]
    confidences = [sighting.confidence for sighting in now.sightings]
    probabilities = np.exp(now.log_species)
    return [
        np.log1p(len(now.sightings)) / 3,
        np.log1p(now.end_s - now.start_s) / 3,
        2 * float(np.mean(confidences)) - 1,
        2 * max(confidences) - 1,
        float(probabilities.max() / probabilities.sum()),
        np.log(_width(first) / around.width_px) + 2,
        np.log(_width(first) / _height(first)),
        _to_edge(first, around),
        _to_edge(last, around),
        np.tanh(_speed(now.sightings[:3])),
        np.log(around.interval_s) / 2,
        np.log1p(around.busy_at(now.start_s)) - 1,
        _spread(now),
    ]


_FIRST = [1.0, *([0.0] * 16)]


def _of_pair(last_track: Track, known: _Known, now: Track, around: Surroundings) -> list[float]:
    last, first = last_track.sightings[-1], now.sightings[0]
    gap_s = max(first.time_s - last.time_s, 0.0)
    away, diagonal = _centre(first) - _centre(last), np.hypot(_width(last), _height(last))
    growth = np.log(np.hypot(_width(first), _height(first)) / diagonal)
    images = around.images_between(last.time_s, first.time_s)
    return [
        0.0,
        np.log1p(gap_s) / 2,
        np.log1p(images) / 2,
        np.tanh(away[0] / diagonal),
        np.tanh(away[1] / diagonal),
        np.log1p(float(np.hypot(*away)) / diagonal),
        float(np.clip(growth, -2, 2)),
        3 * float(np.clip(np.log(_longest(now) / known.long_px), -1, 1)),
        iou(last.box, first.box),
        _overlap(last_track.log_species, now.log_species),
        2 * _overlap(known.log_species, now.log_species) - 1,
        _look_distance(last_track.look, now.look),
        2 * _look_distance(known.look, now.look),
        np.tanh(_speed(last_track.sightings[-3:])),
        _to_edge(last, around),
        np.log1p(last_track.end_s - last_track.start_s) / 3,
        np.log1p(known.sightings) / 3,
    ]


def _overlap(first: Floats, second: Floats) -> float:
    """The Bhattacharyya coefficient of two distributions, 0..1, of their mean logarithms."""
    a, b = np.exp(first), np.exp(second)
    return float(np.sqrt(a / a.sum() * b / b.sum()).sum())


def _look_distance(first: Floats, second: Floats) -> float:
    if not first.size or not second.size:
        return 1.0  # nobody looked: neither alike nor different
    return float(np.sqrt(np.mean((first - second) ** 2)))


def _longest(track: Track) -> float:
    """The longer side that most of a track's boxes have, pixels: a covered end is left out by the upper quartile."""
    sides = [max(_width(sighting), _height(sighting)) for sighting in track.sightings]
    return float(np.quantile(sides, 0.75))


def _spread(track: Track) -> float:
    """How far a track goes from where it began, in its first box's diagonals; a thing that lies there goes nowhere."""
    first = track.sightings[0]
    places = np.array([_centre(sighting) for sighting in track.sightings])
    return float(np.tanh(np.hypot(*(places.std(axis=0))) / np.hypot(_width(first), _height(first))))


def _speed(sightings: Sequence[Sighting]) -> float:
    """Diagonals a second over a few sightings."""
    first, last = sightings[0], sightings[-1]
    took_s = last.time_s - first.time_s
    if took_s <= 0:
        return 0.0
    return float(np.hypot(*(_centre(last) - _centre(first))) / np.hypot(_width(first), _height(first)) / took_s)


def _to_edge(sighting: Sighting, around: Surroundings) -> float:
    """How far a box's middle is from the nearest border, 0 at it, 1 in the middle of the image."""
    x, y = _centre(sighting)
    return 2 * float(min(x / around.width_px, 1 - x / around.width_px, y / around.height_px, 1 - y / around.height_px))


def _centre(sighting: Sighting) -> Floats:
    box = sighting.box
    return np.array([(box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2])


def _width(sighting: Sighting) -> float:
    return sighting.box.x_max - sighting.box.x_min


def _height(sighting: Sighting) -> float:
    return sighting.box.y_max - sighting.box.y_min
