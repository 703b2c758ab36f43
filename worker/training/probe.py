"""Fits a softmax on cached features: convex, so the same answer every time, without a learning rate to choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import softmax
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
STRENGTHS = (0.3, 0.1, 0.03, 0.01, 0.003)
_STEPS = 120


@dataclass(frozen=True)
class Probe:
    """A linear classifier: logits = features @ weights + bias. weights: (C, S). bias: (S,). strength: of its L2."""

    weights: Floats
    bias: Floats
    strength: float

    def logits(self, features: Floats) -> Floats:
        """Return the logits of features (..., C) as (..., S)."""
        return np.asarray(features @ self.weights + self.bias, dtype=np.float32)

    def probabilities(self, features: Floats) -> npt.NDArray[np.float64]:
        """Return the species distributions of features (..., C) as (..., S)."""
        return np.asarray(softmax(self.logits(features).astype(np.float64), axis=-1))


def fit_probe(
    features: Floats,
    species: Ints,
    sample_weights: Floats,
    *,
    count: int,
    folds: Sequence[npt.NDArray[np.bool_]],
    strength: float | None = None,
) -> Probe:
    """Return the softmax of least weighted log loss, its L2 the one that does best on the folds, each kept apart once.

    features: (N, C). species: (N,) places on the axis of count species. folds: (N,) masks of what is kept apart.
    strength: of the L2 where it is known already.
    Source: multinomial logistic regression by L-BFGS (Liu and Nocedal 1989); weights on standardised features, so
    that one strength suits all of them.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    scaled = np.asarray((features - mean) / spread, dtype=np.float32)
    if strength is None:
        strength = _best_strength(scaled, species, sample_weights, count, folds) if folds else STRENGTHS[1]
    weights, bias = _fit(scaled, species, sample_weights, count, strength, None)
    weights = weights / spread[:, None]
    return Probe(np.asarray(weights, dtype=np.float32), np.asarray(bias - mean @ weights, dtype=np.float32), strength)


def _best_strength(
    scaled: Floats, species: Ints, sample_weights: Floats, count: int, folds: Sequence[npt.NDArray[np.bool_]]
) -> float:
    losses = np.zeros(len(STRENGTHS))
    for apart in folds:
        start = None
        for place, strength in enumerate(STRENGTHS):  # from the strongest: each is a start for the next
            start = _fit(scaled[~apart], species[~apart], sample_weights[~apart], count, strength, start)
            losses[place] += _weighted_loss(scaled[apart] @ start[0] + start[1], species[apart], sample_weights[apart])
    return STRENGTHS[int(losses.argmin())]


def _fit(
    scaled: Floats,
    species: Ints,
    sample_weights: Floats,
    count: int,
    strength: float,
    start: tuple[Floats, Floats] | None,
) -> tuple[Floats, Floats]:
    channels = scaled.shape[1]
    one_hot = np.eye(count, dtype=np.float32)[species]
    share = (sample_weights / sample_weights.sum())[:, None].astype(np.float32)

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = flat[:-count].reshape(channels, count).astype(np.float32)
        log_p = _log_softmax(scaled @ weights + flat[-count:].astype(np.float32))
        slope = (np.exp(log_p) - one_hot) * share
        value = -float((log_p * one_hot * share).sum()) + 0.5 * strength * float((weights**2).sum())
        gradient = np.concatenate([(scaled.T @ slope + strength * weights).ravel(), slope.sum(axis=0)])
        return value, gradient.astype(np.float64)

    first = np.zeros(channels * count + count) if start is None else np.concatenate([start[0].ravel(), start[1]])
    # Its threads wait by spinning: on a machine that others use, too, several took twenty times as long as one.
    with threadpool_limits(limits=1, user_api="blas"):
        flat = minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    return flat[:-count].reshape(channels, count).astype(np.float32), flat[-count:].astype(np.float32)


def _weighted_loss(logits: Floats, species: Ints, sample_weights: Floats) -> float:
    log_p = _log_softmax(logits)[np.arange(len(species)), species]
    return -float((log_p * sample_weights).sum() / sample_weights.sum())


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), dtype=np.float32)
