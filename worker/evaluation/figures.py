"""The figures of one compared model: in all, over folds, by species and by camera."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from db.domain.evaluations import ComparedFigures, Figures, PartCalibration, Reliability
from worker.evaluation.answers import Answers, EvaluatedImages, Floats, Ints, fish_average_precision, largest_iou
from worker.evaluation.calibration import cross_calibrated
from worker.training import metrics


def compared_figures(evaluated: EvaluatedImages, answers: Answers, parts: Ints) -> ComparedFigures:
    """Return a compared model's figures: shares and overlaps 0..1, losses in nats; what cannot be told is left out.

    parts: (N,) each part's answers are calibrated by the other parts, see `cross_calibrated`.
    """
    truth, overlaps = evaluated.truth, largest_iou(evaluated, answers)
    honest, used = cross_calibrated(answers.probabilities, truth, parts)
    folds = [
        _figures(evaluated, answers, honest, overlaps, np.flatnonzero(evaluated.folds == fold))
        for fold in np.unique(evaluated.folds)
    ]
    return ComparedFigures(
        name=answers.name,
        mean=_over(folds, np.mean),
        spread=_over(folds, lambda values: np.std(values, ddof=1)) if len(folds) > 1 else {},
        folds=folds,
        by_species=_by_species(evaluated, answers, overlaps),
        by_camera={
            str(camera): _figures(evaluated, answers, honest, overlaps, np.flatnonzero(evaluated.cameras == camera))
            for camera in np.unique(evaluated.cameras)
        },
        confusion=metrics.confusion_matrix(truth, answers.probabilities, species=len(evaluated.label_set)).tolist(),
        reliability=Reliability(
            metrics.reliability(truth, answers.probabilities),
            metrics.reliability(truth, honest),
        ),
        calibration=[PartCalibration(one.temperature, one.floor) for _part, one in sorted(used.items())],
        seconds=round(answers.seconds, 1),
    )


def _figures(evaluated: EvaluatedImages, answers: Answers, honest: Floats, overlaps: Floats, rows: Ints) -> Figures:
    truth, said = evaluated.truth[rows], answers.probabilities[rows]
    boxed = overlaps[rows][~np.isnan(overlaps[rows])]
    return _told(
        {
            "images": float(len(rows)),
            "accuracy": metrics.accuracy(truth, said),
            "balanced_accuracy": metrics.balanced_accuracy(truth, said),
            "log_loss": metrics.log_loss(truth, said),
            "calibration_error": metrics.expected_calibration_error(truth, said),
            "calibrated_log_loss": metrics.log_loss(truth, honest[rows]),
            "calibrated_calibration_error": metrics.expected_calibration_error(truth, honest[rows]),
            "largest_fish_mean_iou": float(boxed.mean()) if len(boxed) else math.nan,
            "largest_fish_iou_over_half": float((boxed >= 0.5).mean()) if len(boxed) else math.nan,
            "fish_ap50": fish_average_precision(evaluated, answers, rows),
        }
    )


def _by_species(evaluated: EvaluatedImages, answers: Answers, overlaps: Floats) -> dict[str, Figures]:
    truth, chosen = evaluated.truth, answers.probabilities.argmax(axis=1)
    everything, rows = np.arange(len(truth)), {}
    for place in np.unique(truth):
        mine, called = truth == place, chosen == place
        boxed = overlaps[mine & ~np.isnan(overlaps)]
        rows[evaluated.label_set.names[place]] = _told(
            {
                "images": float(mine.sum()),
                "recall": float((chosen[mine] == place).mean()),
                "precision": float((truth[called] == place).mean()) if called.any() else math.nan,
                "largest_fish_mean_iou": float(boxed.mean()) if len(boxed) else math.nan,
                "fish_ap50": fish_average_precision(evaluated, answers, everything, species_index=int(place)),
            }
        )
    return rows


def _over(folds: Sequence[Mapping[str, float]], summary: Any) -> Figures:
    names = [name for name in folds[0] if name != "images"]
    values = {name: [fold[name] for fold in folds if name in fold] for name in names}
    return {name: float(summary(some)) for name, some in values.items() if len(some) == len(folds)}


def _told(figures: Figures) -> Figures:
    return {name: value for name, value in figures.items() if not math.isnan(value)}
