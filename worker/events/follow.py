"""Joins tracks to animals: the network says of each track and each animal seen before whether it is the same one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from worker.events.cut import QUIET_S, cut_sequence
from worker.events.fuse import fused_species
from worker.events.sightings import CameraSequence, Floats, Track, join
from worker.events.steps import INPUTS, MAX_STEPS, StepInputs
from worker.events.tracks import TrackerSettings, track
from worker.models.recurrent import StepDecision

_DENSE_S = 0.35
# An animal that is counted twice is worse than two that look alike, put together, are seldom: tried on learnt cameras.
JOIN_ABOVE = 0.04
DENSE = TrackerSettings(lost_s=1.0, min_iou=0.2, max_shift=0.35, max_growth=2.0)
RARE = TrackerSettings(lost_s=0.0, min_iou=0.6, max_shift=0.0, max_growth=1.25)
_CALL = 64
# What is seen in fewer images than so many seconds hold is no animal (at most so many): none stays so shortly.
LEAST_S = 2.5
_LEAST_IMAGES = 10
# A track that is no animal's by itself with this probability is not compared with any: false alarms are the most.
_SURELY_FALSE = 0.9


@dataclass(frozen=True, eq=False)
class Animal:
    """One animal seen by one camera. track: all its sightings. species: (S,) probabilities. parts: its tracks.

    by_network: what the network says of its species, (S,); the product of all sightings names more of them right.
    """

    track: Track
    species: Floats
    parts: int
    by_network: Floats | None = None


class Follower(Protocol):
    """What says of hypotheses, each a history whose last track is in question, what that last track is."""

    def ask(self, histories: Sequence[Sequence[Track]], inputs: StepInputs) -> tuple[Floats, Floats]:
        """Return decisions (N, 3) in the order of `StepDecision`, and the species of each history, (N, S)."""


class NetworkFollower:
    """A recurrent network, called in batches of one shape."""

    def __init__(self, model: Any) -> None:
        from worker.events.predict import fixed_call

        self._call = fixed_call(model, batch=_CALL)

    def ask(self, histories: Sequence[Sequence[Track]], inputs: StepInputs) -> tuple[Floats, Floats]:
        """Return decisions (N, 3) in the order of `StepDecision`, and the species of each history, (N, S)."""
        steps, log_species, lengths = stack_histories([inputs.of_history(one) for one in histories])
        said = self._call({"steps": steps, "log_species": log_species})
        rows, last = np.arange(len(lengths)), np.array(lengths) - 1
        return said["decision"][rows, last], said["species"][rows, last]


def find_animals(
    whole: CameraSequence,
    follower: Follower | None,
    *,
    join_above: float = JOIN_ABOVE,
    least_s: float = LEAST_S,
) -> list[Animal]:
    """Return every animal of a camera once, in the order in which they come.

    follower: None goes by tracks alone. join_above: probability of being the same from which two tracks are joined.
    least_s: an animal is seen in as many images as are taken in this time, at least in one, ten are always enough.
    """
    least = min(_LEAST_IMAGES, max(1, math.ceil(least_s / _interval_s(whole))))
    found = [animal for part in cut_sequence(whole) for animal in _animals(part, follower, join_above)]
    return [animal for animal in found if follower is None or len(animal.track.sightings) >= least]


def short_tracks(sequence: CameraSequence) -> list[Track]:
    """Return tracks that end whenever an animal is out of sight or not surely the same one.

    The rarer the images, the more overlap it takes: what lies still may go on, what moved is the network's to decide.
    """
    return track(sequence, DENSE if _interval_s(sequence) <= _DENSE_S else RARE)


def stack_histories(histories: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats, list[int]]:
    """Return histories padded after their last step, (N, T, F) and (N, T, S), and each one's length."""
    count, species = len(histories), histories[0][1].shape[1]
    steps = np.zeros((count, MAX_STEPS, INPUTS))
    log_species = np.zeros((count, MAX_STEPS, species))
    for row, (shown, named) in enumerate(histories):
        steps[row, : len(shown)], log_species[row, : len(named)] = shown, named
    return steps, log_species, [len(shown) for shown, _ in histories]


def _interval_s(sequence: CameraSequence) -> float:
    """Return the usual time between two images; of a single image, an hour: it stands for all that was seen then."""
    times_s = [image.time_s for image in sequence.images]
    return max(float(np.median(np.diff(times_s))), 1e-3) if len(times_s) > 1 else 3600.0


def _animals(part: CameraSequence, follower: Follower | None, join_above: float) -> list[Animal]:
    tracks = short_tracks(part)
    if follower is None:
        return [Animal(one, fused_species(one), 1) for one in tracks]
    inputs = StepInputs(part)
    alone, _ = follower.ask([[one] for one in tracks], inputs)  # (N, 3)
    false = alone[:, StepDecision.NONE]
    animals: list[list[Track]] = []
    for together in _beginning_together(tracks, false):
        _join(animals, together, follower, inputs, join_above)
    if not animals:
        return []
    _, species = follower.ask(animals, inputs)
    whole = [join(parts) for parts in animals]
    return [
        Animal(one, fused_species(one), len(parts), by_network=named)
        for one, parts, named in zip(whole, animals, species, strict=True)
    ]


def _join(
    animals: list[list[Track]],
    together: list[tuple[Track, float]],
    follower: Follower,
    inputs: StepInputs,
    join_above: float,
) -> None:
    """Give each of some tracks that begin in one image to the animal whose next it most surely is, or to a new one.

    together: each track with the probability that it shows no animal.
    """
    starts_s = together[0][0].start_s
    open_animals = [one for one in animals if 0 < starts_s - one[-1].end_s <= QUIET_S]
    pairs = [[*one, now] for now, _ in together for one in open_animals]
    given: dict[int, int] = {}
    if pairs:
        decisions, _ = follower.ask(pairs, inputs)
        given = _assign(decisions[:, StepDecision.SAME].reshape(len(together), len(open_animals)), join_above)
    for row, (now, false) in enumerate(together):
        if row in given:
            open_animals[given[row]].append(now)
        elif false < 0.5:
            animals.append([now])


def _assign(same: Floats, join_above: float) -> dict[int, int]:
    """Return which animal each track goes to: those of the largest sum of log odds, only where the odds are for it."""
    if not same.size:
        return {}
    sure = np.clip(same, 1e-6, 1 - 1e-6)
    lead = np.log(sure / (1 - sure)) - np.log(join_above / (1 - join_above))  # (M, N)
    log_odds = np.maximum(lead, 0.0)
    rows, columns = linear_sum_assignment(-log_odds)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if lead[row, column] > 0}


def _beginning_together(tracks: Sequence[Track], false: Floats) -> list[list[tuple[Track, float]]]:
    """Return the tracks in groups that begin in one image; those that are surely no animal's are in none."""
    groups: list[list[tuple[Track, float]]] = []
    for one, no_animal in zip(tracks, false.tolist(), strict=True):
        if no_animal > _SURELY_FALSE:
            continue
        if groups and groups[-1][0][0].start_s == one.start_s:
            groups[-1].append((one, no_animal))
        else:
            groups.append([(one, no_animal)])
    return groups
