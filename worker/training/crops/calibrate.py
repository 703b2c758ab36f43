"""Fits what turns the second stage's logits into honest probabilities, on cameras that it has not learnt from.

Few crops, or many of few cameras, prove little: each fit begins from what is usual and moves as far as the crops carry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from worker.training import metrics
from worker.vision.crop_answers import crop_distributions

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Measured on real crops of four camera folds: half of the shift gave 2 to 6 points of balanced accuracy on every fold
# for 0.3 points of accuracy; a new camera's species are not the training cameras', so their prior has half its word.
PRIOR_SHIFT_SHARE = 0.5
USUAL_TEMPERATURE = 1.25
_TEMPERATURES = (0.2, 20.0)
_LOG_TEMPERATURE_SPREAD = 0.35  # of a usual fit's temperature: by a third up or down
_WITHIN_CAMERA_CORRELATION = 0.2  # of whether crops of one camera are answered right


def log_prior_shift(species: Ints, sample_weights: npt.ArrayLike, class_weights: npt.ArrayLike) -> Floats:
    """Return what to add to each species' logit so that the classifier expects the species as often as they came.

    Training with class weights w teaches p(s | crop) * w(s), normalised; so log w(s) is taken back (Saerens et al.
    2002, equation 4). The weights' mean is left out: it moves all logits alike. (S,); 0 for species not seen.
    """
    weights = np.asarray(class_weights, dtype=np.float64)
    seen = np.bincount(species, weights=np.asarray(sample_weights, dtype=np.float64), minlength=len(weights)) > 0
    logs = np.log(weights, out=np.zeros_like(weights), where=seen & (weights > 0))
    return np.where(seen, logs[seen].mean() - logs, 0.0) if seen.any() else np.zeros_like(weights)


def effective_count(cameras: Sequence[str]) -> float:
    """Return how many independent crops or images these are worth; those of one camera repeat each other.

    Source: the design effect of unequal clusters (Kish 1965, section 8.2), with an assumed correlation of 0.2.

    >>> effective_count([]), effective_count(["a", "b", "c"]), round(effective_count(["a"] * 91), 1)
    (0.0, 3.0, 4.8)
    """
    if not len(cameras):
        return 0.0
    counts = np.unique(np.asarray(cameras), return_counts=True)[1].astype(np.float64)
    typical = float((counts**2).sum() / counts.sum())
    return float(counts.sum() / (1.0 + _WITHIN_CAMERA_CORRELATION * (typical - 1.0)))


def fit_temperature(
    logits: npt.ArrayLike,
    species: Ints,
    cameras: Sequence[str],
    *,
    turns: int,
    shift: Floats,
    usual: float = USUAL_TEMPERATURE,
) -> float:
    """Return the temperature of these crops, 0.2 to 20, shrunk towards a usual one as far as they prove little.

    logits: (N * turns, S). usual: what other cameras had; it is the answer where there are no crops.
    """

    def loss_at(temperature: float) -> float:
        answers = crop_distributions(logits, turns=turns, log_prior_shift=shift, temperature=temperature)
        return metrics.log_loss(species, answers)

    return shrunk_temperature(loss_at, worth=effective_count(cameras), usual=usual)


def shrunk_temperature(loss_at: Callable[[float], float], *, worth: float, usual: float) -> float:
    """Return the temperature of least mean log loss where that is worth so many independent crops.

    The prior is log-normal around the usual one (a maximum a posteriori fit), so nothing decides at a hard count.
    """
    if worth <= 0.0:
        return usual

    def objective(log_temperature: float) -> float:
        away = (log_temperature - math.log(usual)) / _LOG_TEMPERATURE_SPREAD
        return worth * loss_at(math.exp(log_temperature)) + 0.5 * away**2

    bounds = (math.log(_TEMPERATURES[0]), math.log(_TEMPERATURES[1]))
    return float(math.exp(minimize_scalar(objective, bounds=bounds, method="bounded").x))


def cross_fitted(
    logits: npt.NDArray[np.float32],
    species: Ints,
    cameras: Sequence[str],
    *,
    turns: int,
    shift: Floats,
    usual: float = USUAL_TEMPERATURE,
) -> Floats:
    """Return the held-out crops' distributions, each camera's with a temperature fitted on the other ones.

    So the figures on the card are of cameras that neither the network nor its temperature has seen. (N, S).
    """
    names = np.asarray(cameras)
    rows = logits.reshape(-1, turns, logits.shape[-1])
    answers = np.zeros((len(species), rows.shape[-1]))
    for camera in np.unique(names):
        mine = names == camera
        others = rows[~mine].reshape(-1, rows.shape[-1])
        temperature = fit_temperature(others, species[~mine], names[~mine], turns=turns, shift=shift, usual=usual)
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
