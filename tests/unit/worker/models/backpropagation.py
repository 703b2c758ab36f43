"""The oracle of the recurrent networks: forward and backward through time in numpy, derived by hand.

Sizes: B sequences, T steps, F inputs a step, U units, K classes. A gradient `d_x` is of the loss by `x`, in x's shape.
The loss is the mean over B and T of the cross-entropy with clipped probabilities, as Keras computes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Gradients = dict[str, Floats]
# Keras's own fuzz factor: probabilities are clipped to [EPSILON, 1 - EPSILON] before the logarithm.
EPSILON = 1e-7


@dataclass(frozen=True)
class SimpleWeights:
    """Of h = tanh(x W + h_before V + b). w: (F, U). v: (U, U). b: (U,)."""

    w: Floats
    v: Floats
    b: Floats


@dataclass(frozen=True)
class GruWeights:
    """Keras's GRU with `reset_after`; the gates lie side by side in the order update z, reset r, candidate c.

    w: (F, 3U). v: (U, 3U). b: (2, 3U), of the input's product and of the memory's product.
    """

    w: Floats
    v: Floats
    b: Floats


def softmax(logits: Floats) -> Floats:
    """Return probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (B, T, K)
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)  # (B, T, K)
    return shares


def cross_entropy(probabilities: Floats, targets: Floats) -> float:
    """Return the mean over B and T. probabilities, targets: (B, T, K)."""
    clipped = np.clip(probabilities, EPSILON, 1 - EPSILON)  # (B, T, K)
    return float(-(targets * np.log(clipped)).sum(axis=-1).mean())


def d_logits(probabilities: Floats, targets: Floats) -> Floats:
    """Return the loss's gradient by the logits, (B, T, K).

    p = softmax(z), q = clip(p), L = -sum(t log q) / (B T).
    dL/dq_k = -t_k / (q_k B T); clip passes it on inside its bounds only: dL/dp_k = dL/dq_k or 0.
    dp_k/dz_j = p_k (1[k = j] - p_j), so dL/dz_j = p_j (dL/dp_j - sum_k dL/dp_k p_k).
    Where nothing is clipped this is the well-known (p - t) / (B T).
    """
    count = probabilities.shape[0] * probabilities.shape[1]
    clipped = np.clip(probabilities, EPSILON, 1 - EPSILON)  # (B, T, K)
    inside = (probabilities >= EPSILON) & (probabilities <= 1 - EPSILON)  # (B, T, K)
    d_p = np.where(inside, -targets / clipped, 0.0) / count  # (B, T, K)
    shared = (d_p * probabilities).sum(axis=-1, keepdims=True)  # (B, T, 1)
    gradient: Floats = probabilities * (d_p - shared)  # (B, T, K)
    return gradient


def simple_forward(weights: SimpleWeights, x: Floats) -> Floats:
    """Return the memory before the first step and after each step, (B, T + 1, U). x: (B, T, F)."""
    memory = np.zeros((x.shape[0], x.shape[1] + 1, weights.b.size))  # (B, T + 1, U)
    for t in range(x.shape[1]):
        memory[:, t + 1] = np.tanh(x[:, t] @ weights.w + memory[:, t] @ weights.v + weights.b)  # (B, U)
    return memory


def simple_backward(weights: SimpleWeights, x: Floats, memory: Floats, d_memory: Floats) -> Gradients:
    """Return the gradients by the weights and the input. d_memory: (B, T, U), what each step's reader asks for.

    a = x W + h V + b, h' = tanh(a): d_a = d_h' (1 - h'^2); d_W = x^T d_a, d_V = h^T d_a, d_b = sum d_a,
    d_x = d_a W^T, and what flows back to the step before: d_h = d_a V^T.
    """
    found = {"w": np.zeros_like(weights.w), "v": np.zeros_like(weights.v), "b": np.zeros_like(weights.b)}
    d_x = np.zeros_like(x)  # (B, T, F)
    flows_back = np.zeros_like(memory[:, 0])  # (B, U)
    for t in reversed(range(x.shape[1])):
        d_a = (d_memory[:, t] + flows_back) * (1 - memory[:, t + 1] ** 2)  # (B, U)
        found["w"] += x[:, t].T @ d_a  # (F, U)
        found["v"] += memory[:, t].T @ d_a  # (U, U)
        found["b"] += d_a.sum(axis=0)  # (U,)
        d_x[:, t] = d_a @ weights.w.T  # (B, F)
        flows_back = d_a @ weights.v.T  # (B, U)
    return {**found, "x": d_x}


@dataclass(frozen=True)
class GruStep:
    """What one step computed and the way back needs. update, reset, candidate, reset_input: (B, U)."""

    update: Floats
    reset: Floats
    candidate: Floats
    reset_input: Floats


def gru_forward(weights: GruWeights, x: Floats) -> tuple[Floats, list[GruStep]]:
    """Return the memory before the first step and after each, (B, T + 1, U), and what each step computed."""
    units = weights.v.shape[0]
    memory = np.zeros((x.shape[0], x.shape[1] + 1, units))  # (B, T + 1, U)
    steps = []
    for t in range(x.shape[1]):
        before = memory[:, t]  # (B, U)
        from_x = x[:, t] @ weights.w + weights.b[0]  # (B, 3U)
        from_h = before @ weights.v + weights.b[1]  # (B, 3U)
        update = _sigmoid(from_x[:, :units] + from_h[:, :units])  # (B, U)
        reset = _sigmoid(from_x[:, units : 2 * units] + from_h[:, units : 2 * units])  # (B, U)
        reset_input = from_h[:, 2 * units :]  # (B, U)
        candidate = np.tanh(from_x[:, 2 * units :] + reset * reset_input)  # (B, U)
        memory[:, t + 1] = update * before + (1 - update) * candidate  # (B, U)
        steps.append(GruStep(update, reset, candidate, reset_input))
    return memory, steps


def gru_backward(weights: GruWeights, x: Floats, memory: Floats, steps: list[GruStep], d_memory: Floats) -> Gradients:
    """Return the gradients by the weights and the input. d_memory: (B, T, U), what each step's reader asks for.

    h' = z h + (1 - z) c, c = tanh(a_c + r m_c), z = s(a_z + m_z), r = s(a_r + m_r), a = x W + b_0, m = h V + b_1.
    With g = d_h': d_z = g (h - c), d_c = g (1 - z); through tanh: d_ac = d_c (1 - c^2); d_r = d_ac m_c, d_mc = d_ac r;
    through the sigmoids: d_az = d_z z (1 - z), d_ar = d_r r (1 - r), and a and m of both gates get the same.
    Back to the step before: d_h = g z + d_m V^T.
    """
    found = {"w": np.zeros_like(weights.w), "v": np.zeros_like(weights.v), "b": np.zeros_like(weights.b)}
    d_x = np.zeros_like(x)  # (B, T, F)
    flows_back = np.zeros_like(memory[:, 0])  # (B, U)
    for t in reversed(range(x.shape[1])):
        step, before = steps[t], memory[:, t]  # before: (B, U)
        g = d_memory[:, t] + flows_back  # (B, U)
        d_candidate = g * (1 - step.update) * (1 - step.candidate**2)  # (B, U)
        d_update = g * (before - step.candidate) * step.update * (1 - step.update)  # (B, U)
        d_reset = d_candidate * step.reset_input * step.reset * (1 - step.reset)  # (B, U)
        d_a = np.concatenate([d_update, d_reset, d_candidate], axis=1)  # (B, 3U)
        d_m = np.concatenate([d_update, d_reset, d_candidate * step.reset], axis=1)  # (B, 3U)
        found["w"] += x[:, t].T @ d_a  # (F, 3U)
        found["v"] += before.T @ d_m  # (U, 3U)
        found["b"] += np.stack([d_a.sum(axis=0), d_m.sum(axis=0)])  # (2, 3U)
        d_x[:, t] = d_a @ weights.w.T  # (B, F)
        flows_back = g * step.update + d_m @ weights.v.T  # (B, U)
    return {**found, "x": d_x}


def clip_by_global_norm(gradients: Gradients, limit: float) -> Gradients:
    """Return the gradients shrunk together so that the root of all their squares is at most the limit."""
    norm = float(np.sqrt(sum((gradient**2).sum() for gradient in gradients.values())))
    return {name: gradient * min(1.0, limit / norm) for name, gradient in gradients.items()}


def finite_difference(loss_of: object, weight: Floats, *, step: float = 1e-6) -> Floats:
    """Return the loss's gradient by a weight, each entry moved up and down by a step. The weight is left as it was."""
    assert callable(loss_of)
    gradient = np.zeros_like(weight)
    for place in np.ndindex(weight.shape):
        held = weight[place]
        weight[place] = held + step
        above = loss_of()
        weight[place] = held - step
        gradient[place] = (above - loss_of()) / (2 * step)
        weight[place] = held
    return gradient


def _sigmoid(x: Floats) -> Floats:
    ratio: Floats = 1 / (1 + np.exp(-x))
    return ratio
