"""Turns the crop classifier's logits into calibrated distributions; the same for serving and for evaluation it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

Floats = npt.NDArray[np.float64]


def crop_distributions(
    logits: npt.ArrayLike, *, turns: int, log_prior_shift: npt.ArrayLike, temperature: float
) -> Floats:
    """Return one species distribution a crop. logits: (N * turns, S), a crop's turns together. Returns (N, S).

    The turns' logits are averaged (a geometric mean of their predictions), the training's prior is taken back, and the
    whole is divided by the temperature (Guo et al. 2017, section 4.2).

    >>> crop_distributions([[0.0, 0.0]], turns=1, log_prior_shift=[0.0, np.log(3.0)], temperature=1.0).round(2).tolist()
    [[0.25, 0.75]]
    """
    rows = np.asarray(logits, dtype=np.float64)
    mean = rows.reshape(-1, turns, rows.shape[-1]).mean(axis=1)
    scaled = (mean + np.asarray(log_prior_shift, dtype=np.float64)) / temperature
    return np.asarray(softmax(scaled, axis=1), dtype=np.float64)
