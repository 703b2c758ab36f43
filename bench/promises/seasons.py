"""Draws seasons whose truth is known: cameras, days, fish, and a model's answers. No images and no networks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from annotator.estimates.weighted_sums import Floats
from annotator.plans.expected import Answers, Codes

NAMES = ("ALB", "BET", "DOL", "LAG", "NoF", "OTHER", "SHARK", "YFT")
NO_FISH = NAMES.index("NoF")
# Shares of a longline season, about those of public training images.
COMMON = np.array([0.33, 0.04, 0.03, 0.015, 0.27, 0.075, 0.04, 0.20])
_LEAKY_CAMERAS = 2
_OWN_SPECIES_CAMERAS = 3


class Model(StrEnum):
    """How good the season's model is."""

    GOOD = "good"
    DECENT = "decent"
    BAD = "bad"
    USELESS = "useless"
    BROKEN_ON_ONE = "broken on one camera"


# Shares of runs answered rightly; leaky cameras and what is broken come on top.
_ACCURACY = {Model.GOOD: 0.93, Model.DECENT: 0.85, Model.BAD: 0.55, Model.BROKEN_ON_ONE: 0.88}
_CAMERA_SPREAD, _RUN_SPREAD = 0.7, 1.5


@dataclass(frozen=True)
class Season:
    """A season: what the model answers, and what is true. truth: (N, S) fish by species; species: (N,), the image's."""

    answers: Answers
    truth: Floats
    species: Codes

    @property
    def wrong(self) -> Floats:
        """Whether each answer names another species than the truth, as 0 or 1. (N,)"""
        return np.asarray(self.answers.species != self.species, dtype=np.float64)


def draw_season(model: Model, *, rng: np.random.Generator) -> Season:
    """Return a season of 30 to 60 cameras. Frames come in runs that show the same fish and share the model's error."""
    cameras = int(rng.integers(30, 61))
    runs_a_camera = np.maximum(5, rng.lognormal(np.log(45), 0.6, cameras).astype(int))
    camera = np.repeat(np.arange(cameras), runs_a_camera)
    shares = _camera_shares(cameras, rng=rng)
    species = _draw_each(shares[camera], rng=rng)
    right, error = _right_and_error(model, camera, rng=rng)
    answered = np.where(right, species, _wrong_species(species, rng=rng))
    answered = _spoil(model, camera, species, answered, shares, rng=rng)
    frames = rng.geometric(0.25, len(camera))
    return _frames_of_runs(camera, species, answered, error, frames, rng=rng)


def _camera_shares(cameras: int, *, rng: np.random.Generator) -> Floats:
    shares = rng.dirichlet(6.0 * COMMON, cameras)
    for one in rng.choice(cameras, _OWN_SPECIES_CAMERAS, replace=False):
        shares[one] *= 0.3
        shares[one, rng.integers(len(NAMES))] += 0.7
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _right_and_error(model: Model, camera: Codes, *, rng: np.random.Generator) -> tuple[np.ndarray, Floats]:
    """Return whether each run is answered rightly, and the error probability that the model states."""
    if model is Model.USELESS:
        return np.zeros(len(camera), dtype=bool), rng.uniform(0.05, 0.95, len(camera))
    level = _ACCURACY[model]
    # Logits that vary pull the mean accuracy towards a half; the factor pulls it back to the level.
    centre = np.log(level / (1.0 - level)) * np.sqrt(1.0 + 3.0 * (_CAMERA_SPREAD**2 + _RUN_SPREAD**2) / np.pi**2)
    at_camera = centre + rng.normal(0.0, _CAMERA_SPREAD, camera.max() + 1)
    logits = at_camera[camera] + rng.normal(0.0, _RUN_SPREAD, len(camera))
    right = rng.random(len(camera)) < _logistic(logits)
    # Error probabilities rank within a camera, but their level does not carry over between cameras.
    stated = logits + rng.normal(0.0, 0.7, camera.max() + 1)[camera] + rng.normal(0.0, 0.7, len(camera))
    return right, 1.0 - _logistic(stated)


def _spoil(
    model: Model, camera: Codes, species: Codes, answered: Codes, shares: Floats, *, rng: np.random.Generator
) -> Codes:
    """Return the answers with leaky cameras, which get their commonest species, and what the model's kind breaks."""
    if model is Model.USELESS:
        return _draw_each(np.broadcast_to(COMMON / COMMON.sum(), (len(camera), len(NAMES))), rng=rng)
    spoilt = answered.copy()
    for one in rng.choice(camera.max() + 1, _LEAKY_CAMERAS, replace=False):
        there = (camera == one) & (answered != species)
        spoilt[there] = int(np.argmax(shares[one]))
    if model is Model.BROKEN_ON_ONE:
        broken = rng.choice(camera.max() + 1)
        spoilt[camera == broken] = rng.choice([0, NO_FISH])
    return spoilt


def _frames_of_runs(
    camera: Codes, species: Codes, answered: Codes, error: Floats, frames: Codes, *, rng: np.random.Generator
) -> Season:
    run = np.repeat(np.arange(len(camera)), frames)
    fish = np.where(species == NO_FISH, 0, 1 + rng.poisson(0.25, len(camera)))[run]
    counted = np.maximum(1, fish + (rng.random(len(run)) < 0.1) * rng.choice([-1, 1], len(run)))
    truth = np.zeros((len(run), len(NAMES)))
    truth[np.arange(len(run)), species[run]] = fish
    beside = (rng.random(len(camera)) < 0.03)[run] & (fish > 0)
    others = _draw_each(np.broadcast_to(COMMON / COMMON.sum(), (len(camera), len(NAMES))), rng=rng)[run]
    truth[beside, others[beside]] += 1
    truth[:, NO_FISH] = 0.0
    day = (np.concatenate([np.arange(n) * 12 // n for n in np.bincount(camera)]))[run]
    answers = Answers(
        NAMES,
        answered[run],
        np.where(answered[run] == NO_FISH, 0.0, counted).astype(np.float64),
        np.clip(error[run] + rng.normal(0.0, 0.02, len(run)), 0.0, 1.0),
        camera[run],
        day,
    )
    return Season(answers, truth, species[run])


def _wrong_species(species: Codes, *, rng: np.random.Generator) -> Codes:
    shares = np.broadcast_to(COMMON, (len(species), len(NAMES))).copy()
    shares[np.arange(len(species)), species] = 0.0
    return _draw_each(shares / shares.sum(axis=1, keepdims=True), rng=rng)


def _draw_each(shares: Floats, *, rng: np.random.Generator) -> Codes:
    return np.asarray((rng.random((len(shares), 1)) > np.cumsum(shares, axis=1)).sum(axis=1).clip(0, len(NAMES) - 1))


def _logistic(logits: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))
