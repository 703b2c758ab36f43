"""Chooses, on cameras that a network has not seen, what is added to it: a frozen probe beside it, its neighbours' word.

Each is taken only where the unseen cameras gain by it, and gain on most of them: one large camera proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worker.training import metrics
from worker.training.crops.calibrate import USUAL_TEMPERATURE, Floats, cross_fitted, fit_temperature
from worker.training.crops.outputs import UnseenCrops
from worker.vision.neighbours import MIN_CROPS, agree_with_neighbours

# Both networks hold the prior of what they were trained on; measured on real crops, four fifths of it is one too much.
_PRIOR_TAKEN_BACK = 0.8
_MIN_CAMERAS = 3
_MIN_GAIN = 0.005  # nats a crop; less is not worth a second network or a second answer


@dataclass(frozen=True, eq=False)
class Calibration:
    """How logits become an answer. shift: (S,), added to them. temperature: they are divided by it."""

    shift: Floats
    temperature: float


@dataclass(frozen=True, eq=False)
class Mixture:
    """A frozen probe heard beside the tuned network. The temperatures are each one's own, before they are added."""

    tuned_temperature: float
    frozen_temperature: float
    shift: Floats

    def logits(self, unseen: UnseenCrops, turns: int) -> npt.NDArray[np.float32]:
        """Return the mixed logits of the crops' first turns, (N, turns, S)."""
        assert unseen.frozen is not None
        tuned = unseen.said.logits[:, :turns] / self.tuned_temperature
        return np.asarray(tuned + unseen.frozen[:, :turns] / self.frozen_temperature, dtype=np.float32)


def choose_mixture(unseen: UnseenCrops, shift: Floats, log_prior: Floats, *, turns: int) -> Mixture | None:
    """Return how the frozen probe is heard, or None where the unseen cameras do not gain by it.

    shift: of either network by itself. log_prior: (S,) of the training crops. turns: as many as the mixture is served
    with; alone, the tuned network has all of its own.
    """
    if unseen.frozen is None or not _enough(unseen):
        return None
    tuned, frozen = (
        fit_temperature(_flat(logits), unseen.species, unseen.cameras.tolist(), turns=logits.shape[1], shift=shift)
        for logits in (unseen.said.logits, unseen.frozen)
    )
    mixture = Mixture(tuned, frozen, shift / tuned + shift / frozen - _PRIOR_TAKEN_BACK * log_prior)
    mixed = with_mixture(unseen, mixture, turns=turns)
    gains = _gains(unseen, answers_of(unseen, shift), answers_of(mixed, mixture.shift, usual=1.0))
    return mixture if gains else None


def with_mixture(unseen: UnseenCrops, mixture: Mixture, *, turns: int) -> UnseenCrops:
    """Return the crops with what both networks say together."""
    return replace(unseen, said=replace(unseen.said, logits=mixture.logits(unseen, turns)), frozen=None)


def choose_neighbours(unseen: UnseenCrops, shift: Floats) -> float | None:
    """Return the temperature of answers that have heard their neighbours, or None where the cameras do not gain."""
    if not _enough(unseen):
        return None
    heard = with_neighbours(unseen, shift)
    if not _gains(unseen, answers_of(unseen, shift), answers_of(heard, np.zeros_like(shift))):
        return None
    return fit_temperature(
        _flat(heard.said.logits), unseen.species, unseen.cameras.tolist(), turns=1, shift=np.zeros_like(shift)
    )


def with_neighbours(unseen: UnseenCrops, shift: Floats) -> UnseenCrops:
    """Return the crops with the logits, shifted already, that each camera's neighbours agree on; of one turn."""
    own = unseen.said.logits.mean(axis=1) + shift
    heard = np.array(own)
    for camera in np.unique(unseen.cameras):
        mine = unseen.cameras == camera
        heard[mine] = agree_with_neighbours(own[mine], unseen.said.pooled[mine])
    return replace(unseen, said=replace(unseen.said, logits=heard[:, None].astype(np.float32)))


def answers_of(unseen: UnseenCrops, shift: Floats, *, usual: float = USUAL_TEMPERATURE) -> Floats:
    """Return the crops' distributions, each camera's with the temperature of the others; (N, S)."""
    logits = unseen.said.logits
    names = unseen.cameras.tolist()
    return cross_fitted(_flat(logits), unseen.species, names, turns=logits.shape[1], shift=shift, usual=usual)


def calibrated(unseen: UnseenCrops, shift: Floats, *, usual: float = USUAL_TEMPERATURE) -> Calibration:
    """Return the temperature of these crops, shrunk towards the usual one."""
    logits = unseen.said.logits
    names = unseen.cameras.tolist()
    fitted = fit_temperature(_flat(logits), unseen.species, names, turns=logits.shape[1], shift=shift, usual=usual)
    return Calibration(shift, fitted)


def log_prior_of(species: npt.NDArray[np.int64], weights: npt.ArrayLike, *, count: int) -> Floats:
    """Return the log of how often each species came, (count,); for one that never came the mean of the others'."""
    sums = np.bincount(species, weights=np.asarray(weights, dtype=np.float64), minlength=count)
    logs = np.log(np.maximum(sums, 1e-9) / max(float(sums.sum()), 1e-9))
    return np.where(sums > 0, logs, logs[sums > 0].mean()) if (sums > 0).any() else np.zeros(count)


def _gains(unseen: UnseenCrops, before: Floats, after: Floats) -> bool:
    gain = metrics.losses(unseen.species, before) - metrics.losses(unseen.species, after)
    names, counts = np.unique(unseen.cameras, return_counts=True)
    of_camera = [float(gain[unseen.cameras == name].mean()) for name in names[counts >= MIN_CROPS]]
    return bool(gain.mean() > _MIN_GAIN and of_camera and np.median(of_camera) > 0.0)


def _enough(unseen: UnseenCrops) -> bool:
    return len(unseen) > 0 and len(np.unique(unseen.cameras)) >= _MIN_CAMERAS


def _flat(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return logits.reshape(-1, logits.shape[-1])
