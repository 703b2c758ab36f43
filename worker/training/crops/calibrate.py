"""Fits what turns the second stage's logits into honest probabilities, on cameras that it has not learnt from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from worker.training import metrics
from worker.vision.crop_answers import crop_distributions

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_TEMPERATURES = (0.2, 20.0)
_MIN_CROPS = 20  # fewer say nothing about confidence


def log_prior_shift(species: Ints, sample_weights: npt.ArrayLike, class_weights: npt.ArrayLike) -> Floats:
    """Return what to add to each species' logit so that the classifier expects the species as often as they came.

    Training with class weights w teaches p(s | crop) * w(s), normalised; so log w(s) is taken back (Saerens et al.
    2002, equation 4). The weights' mean is left out: it moves all logits alike. (S,); 0 for species not seen.
    """
    weights = np.asarray(class_weights, dtype=np.float64)
    seen = np.bincount(species, weights=np.asarray(sample_weights, dtype=np.float64), minlength=len(weights)) > 0
    logs = np.log(weights, out=np.zeros_like(weights), where=seen & (weights > 0))
    return np.where(seen, logs[seen].mean() - logs, 0.0) if seen.any() else np.zeros_like(weights)


def fit_temperature(logits: npt.ArrayLike, species: Ints, *, turns: int, shift: Floats) -> float:
    """Return the temperature of least log loss, 0.2 to 20; 1 where there are too few crops to tell."""
    if len(species) < _MIN_CROPS:
        return 1.0

    def loss(log_temperature: float) -> float:
        answers = crop_distributions(logits, turns=turns, log_prior_shift=shift, temperature=math.exp(log_temperature))
        return metrics.log_loss(species, answers)

    bounds = (math.log(_TEMPERATURES[0]), math.log(_TEMPERATURES[1]))
    return float(math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def cross_fitted(
    logits: npt.NDArray[np.float32], species: Ints, cameras: Sequence[str], *, turns: int, shift: Floats
) -> Floats:
    """Return the held-out crops' distributions, each camera's with a temperature fitted on the other ones.

    So the figures on the card are of cameras that neither the network nor its temperature has seen. (N, S).
    """
    names = np.asarray(cameras)
    rows = logits.reshape(len(species), turns, -1)
    answers = np.zeros((len(species), rows.shape[-1]))
    for camera in np.unique(names):
        mine = names == camera
        others = rows[~mine].reshape(-1, rows.shape[-1])
        temperature = fit_temperature(others, species[~mine], turns=turns, shift=shift)
        answers[mine] = crop_distributions(
            rows[mine].reshape(-1, rows.shape[-1]), turns=turns, log_prior_shift=shift, temperature=temperature
        )
    return answers


def species_figures(species: Ints, answers: Floats) -> dict[str, float]:
    """Return the figures of some answers: shares 0..1, log loss in nats."""
    return {
        "accuracy": metrics.accuracy(species, answers),
        "balanced_accuracy": metrics.balanced_accuracy(species, answers),
        "log_loss": metrics.log_loss(species, answers),
        "calibration_error": metrics.expected_calibration_error(species, answers),
        "majority_accuracy": float(np.bincount(species).max() / len(species)),
    }
