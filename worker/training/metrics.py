"""Figures of merit: numpy only, so that evaluation and tests need no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.box_overlaps import box_iou_batch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_FLOOR = 1e-7


def accuracy(truth: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the share of images whose most probable species is the true one.

    truth: (N,) places on the species axis. probabilities: (N, S).
    """
    return float(np.mean(np.argmax(probabilities, axis=1) == np.asarray(truth)))


def recalls(truth: npt.ArrayLike, probabilities: npt.ArrayLike) -> dict[int, float]:
    """Return the accuracy within each true species that occurs."""
    truth, chosen = np.asarray(truth), np.argmax(probabilities, axis=1)
    return {int(kind): float(np.mean(chosen[truth == kind] == kind)) for kind in np.unique(truth)}


def balanced_accuracy(truth: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the mean of the recalls: every species that occurs counts the same."""
    return float(np.mean(list(recalls(truth, probabilities).values())))


def log_loss(truth: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the mean negative log of the true species' probability, clipped at 1e-7.

    >>> round(log_loss([0], [[0.5, 0.5]]), 4)
    0.6931
    """
    return float(np.mean(losses(truth, probabilities)))


def losses(truth: npt.ArrayLike, probabilities: npt.ArrayLike) -> Floats:
    """Return each image's negative log of the true species' probability, clipped at 1e-7; (N,), nats."""
    rows = np.asarray(probabilities, dtype=np.float64)
    chosen = rows[np.arange(len(rows)), np.asarray(truth)]
    return np.asarray(-np.log(np.clip(chosen, _FLOOR, 1.0)))


def expected_calibration_error(truth: npt.ArrayLike, probabilities: npt.ArrayLike, *, bins: int = 10) -> float:
    """Return how far confidence and accuracy lie apart, 0..1, over bins of equal width.

    Source: Guo et al. 2017, section 2.
    """
    steps = reliability(truth, probabilities, bins=bins)
    gaps = [abs(step["confidence"] - step["accuracy"]) * step["images"] for step in steps]
    return float(np.sum(gaps) / len(np.asarray(truth)))


def reliability(truth: npt.ArrayLike, probabilities: npt.ArrayLike, *, bins: int = 10) -> list[dict[str, float]]:
    """Return how often answers of about one confidence are right, by steps of confidence that occur.

    >>> reliability([0], [[0.75, 0.25]])
    [{'confidence': 0.75, 'accuracy': 1.0, 'images': 1.0}]
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    confidence, right = rows.max(axis=1), rows.argmax(axis=1) == np.asarray(truth)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        {
            "confidence": float(confidence[place == step].mean()),
            "accuracy": float(right[place == step].mean()),
            "images": float((place == step).sum()),
        }
        for step in np.unique(place)
    ]


def confusion_matrix(truth: npt.ArrayLike, probabilities: npt.ArrayLike, *, species: int) -> Ints:
    """Return how often each true species (row) was called each species (column); (S, S)."""
    matrix = np.zeros((species, species), dtype=np.int64)
    np.add.at(matrix, (np.asarray(truth), np.argmax(probabilities, axis=1)), 1)
    return matrix


def paired_iou(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return the IoU of each box with the box of the same row; (N,)."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return np.array([box_iou_batch(x, y)[0, 0] for x, y in zip(a, b, strict=True)], dtype=np.float64)


@dataclass(frozen=True)
class ScoredBox:
    """A predicted box for average precision: of which image, where, how sure."""

    image: int
    xyxy: tuple[float, float, float, float]
    confidence: float


def average_precision(
    predicted: Sequence[ScoredBox], truths: Sequence[npt.ArrayLike], *, iou_threshold: float = 0.5
) -> float:
    """Return the area under the precision-recall curve, 0..1; NaN where there is nothing to find.

    truths: for each image its true boxes, (M, 4) xyxy. Each true box is found at most once, surest first.
    Source: Everingham et al. 2010, section 4.2, with every recall level (VOC 2010 and later).
    """
    boxes = [np.asarray(truth, dtype=np.float64).reshape(-1, 4) for truth in truths]
    wanted = sum(len(truth) for truth in boxes)
    if not wanted:
        return float("nan")
    free = [np.ones(len(truth), dtype=bool) for truth in boxes]
    ranked = sorted(predicted, key=lambda found: -found.confidence)
    hits = np.array([_claim(found, boxes, free, iou_threshold) for found in ranked], dtype=np.float64)
    recall = np.concatenate([[0.0], np.cumsum(hits) / wanted])
    precision = np.concatenate([[1.0], np.cumsum(hits) / np.arange(1, len(hits) + 1)])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope[1:]))


def _claim(found: ScoredBox, boxes: list[Floats], free: list[npt.NDArray[np.bool_]], threshold: float) -> bool:
    truth = boxes[found.image]
    if not len(truth):
        return False
    overlaps = box_iou_batch(found.xyxy, truth)[0]
    best = int(np.argmax(np.where(free[found.image], overlaps, -1.0)))
    if overlaps[best] < threshold or not free[found.image][best]:
        return False
    free[found.image][best] = False
    return True
