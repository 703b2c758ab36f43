"""Makes species distributions honest: a temperature and a floor, fitted on other cameras than they are used on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from worker.training import metrics

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_TEMPERATURES = (0.2, 20.0)
_FLOORS = (0.0, 0.001, 0.003, 0.01, 0.03)
_MIN_IMAGES = 20  # fewer say nothing about confidence
_LEAST = 1e-7  # what a probability of 0 is taken for


@dataclass(frozen=True)
class ConfidenceCalibration:
    """temperature: above 1 makes answers less sure. floor: no species gets less; bounds what a sure error costs."""

    temperature: float = 1.0
    floor: float = 0.0

    def apply(self, probabilities: npt.ArrayLike) -> Floats:
        """Return calibrated distributions, (N, S), in the same order of species.

        >>> ConfidenceCalibration(floor=0.1).apply([[1.0, 0.0]]).round(6).tolist()
        [[0.9, 0.1]]
        """
        rows = np.maximum(np.asarray(probabilities, dtype=np.float64), _LEAST) ** (1.0 / self.temperature)
        rows = rows / rows.sum(axis=1, keepdims=True)
        return np.asarray(self.floor + (1.0 - self.floor * rows.shape[1]) * rows)


def fit_calibration(probabilities: npt.ArrayLike, truth: Ints) -> ConfidenceCalibration:
    """Return the temperature (0.2 to 20) and floor of least log loss; neither where there are too few images to tell.

    probabilities: (N, S). truth: (N,) places on the species axis.
    Source: Guo et al. 2017, section 4.2, on log probabilities; the floor is the clipping of Kaggle's log loss.
    """
    if len(truth) < _MIN_IMAGES:
        return ConfidenceCalibration()
    rows = np.asarray(probabilities, dtype=np.float64)

    def loss(calibration: ConfidenceCalibration) -> float:
        return metrics.log_loss(truth, calibration.apply(rows))

    bounds = (math.log(_TEMPERATURES[0]), math.log(_TEMPERATURES[1]))
    fitted = []
    for floor in (one for one in _FLOORS if one * rows.shape[1] <= 0.5):
        found = minimize_scalar(
            lambda log_t, floor=floor: loss(ConfidenceCalibration(math.exp(log_t), floor)),
            bounds=bounds,
            method="bounded",
        )
        fitted.append(ConfidenceCalibration(float(math.exp(found.x)), floor))
    return min(fitted, key=loss)


def cross_calibrated(
    probabilities: npt.ArrayLike, truth: Ints, parts: Ints
) -> tuple[Floats, dict[int, ConfidenceCalibration]]:
    """Return the distributions, each part's calibrated by what fits the other parts, and that calibration by part.

    parts: (N,) a number an image. So no image has a say in how it is evaluated itself. A single part stays as it is.
    """
    rows, used = np.array(probabilities, dtype=np.float64), {}
    for part in np.unique(parts):
        mine = parts == part
        used[int(part)] = fit_calibration(rows[~mine], truth[~mine])
    out = rows.copy()
    for part, calibration in used.items():
        out[parts == part] = calibration.apply(rows[parts == part])
    return out, used
