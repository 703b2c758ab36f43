"""Learns to follow animals from planned sequences: cameras that were never drawn, each at several rates of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from worker.events.hypotheses import LabelledSequence, hypotheses
from worker.events.simulated import SPECIES, simulate_camera
from worker.events.train_follower import FollowerSettings, train_follower
from worker.sample_fleet.plan_sequences import plan_camera

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Recording:
    """How long cameras are recorded, and how often they take an image."""

    per_second: float
    duration_s: float
    cameras: int


# The rarer the images, the longer it takes to see as many animals again.
LEARNT_FROM = (Recording(10.0, 300.0, 14), Recording(1.0, 900.0, 14), Recording(0.2, 1800.0, 20))


@dataclass(frozen=True)
class LearnSettings:
    """What the follower learns from. seed: of the plans and of the training."""

    recordings: tuple[Recording, ...] = LEARNT_FROM
    follower: FollowerSettings = field(default_factory=FollowerSettings)
    seed: int = 1


def planned_sequences(cameras: range, *, per_second: float, duration_s: float, seed: int) -> list[LabelledSequence]:
    """Return what a detector would say of planned cameras, with the truth."""
    found = []
    for number in cameras:
        seen = simulate_camera(plan_camera(number, seed=seed, duration_s=duration_s), per_second=per_second, seed=seed)
        species_of = {animal: SPECIES.index(name) for animal, name in seen.species_of.items()}
        found.append(LabelledSequence(seen.sequence, seen.animal_of, species_of))
    return found


def learn_follower(
    settings: LearnSettings,
    *,
    progress: Progress = lambda stage, done, total: None,
) -> Any:
    """Return a follower that was trained on planned sequences."""
    sequences: list[LabelledSequence] = []
    total = sum(recording.cameras for recording in settings.recordings)
    for recording in settings.recordings:
        for number in range(recording.cameras):
            sequences += planned_sequences(
                range(number, number + 1),
                per_second=recording.per_second,
                duration_s=recording.duration_s,
                seed=settings.seed,
            )
            progress("planning cameras", len(sequences), total)
    learnt_from = hypotheses(sequences, np.random.default_rng(settings.seed))
    return train_follower(
        learnt_from, settings.follower, progress=lambda done, epochs: progress("learning to follow", done, epochs)
    )
