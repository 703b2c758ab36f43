"""Evaluates both heads on held-out images: the figures on the card, in all, by species and by camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.species import NO_FISH, LabelSet
from worker.training import metrics
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import sample_letterbox

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HeldOut:
    """Held-out images and what the heads said of them; outputs by name as the detector gives them."""

    samples: Sequence[TrainingSample]
    outputs: Mapping[str, npt.NDArray[np.float32]]
    label_set: LabelSet
    input_hw: tuple[int, int]


@dataclass(frozen=True)
class DetectorEvaluation:
    """Figures by name; and by species and camera. Shares and overlaps 0..1; losses in nats."""

    metrics: dict[str, float]
    metrics_by: dict[str, dict[str, dict[str, float]]]


def evaluate(held: HeldOut) -> DetectorEvaluation:
    """Return how good the heads are on these images; the plain names are of the two heads' mean distribution."""
    truth = np.array([held.label_set.index(sample.label.species) for sample in held.samples])
    mean = (held.outputs["box_species"].astype(np.float64) + held.outputs["heatmap_species"]) / 2.0
    overlaps = largest_fish_iou(held)
    figures = _species_figures(truth, mean)
    for prefix in ("box_species", "heatmap_species"):
        figures |= {f"{prefix}_{name}": value for name, value in _species_figures(truth, held.outputs[prefix]).items()}
    boxed = ~np.isnan(overlaps)
    if boxed.any():
        figures["largest_fish_mean_iou"] = float(overlaps[boxed].mean())
        figures["largest_fish_iou_over_half"] = float((overlaps[boxed] >= 0.5).mean())
        figures["box_ap50"] = _box_average_precision(held)
    figures["majority_accuracy"] = float(np.bincount(truth).max() / len(truth))
    figures["images"] = float(len(truth))
    return DetectorEvaluation(
        figures, {"species": _by_species(held, truth, mean, overlaps), "camera": _by_camera(held, truth, mean)}
    )


def largest_fish_iou(held: HeldOut) -> Floats:
    """Return the IoU of the box head's box with the largest labelled fish; NaN where no fish is boxed. (N,)."""
    overlaps = np.full(len(held.samples), np.nan)
    for row, (sample, box) in enumerate(zip(held.samples, predicted_boxes(held), strict=True)):
        if sample.label.largest is not None:
            overlaps[row] = metrics.paired_iou([box], [sample.label.largest.box.xyxy])[0]
    return overlaps


def predicted_boxes(held: HeldOut) -> Floats:
    """Return the box head's boxes in pixels of the originals, (N, 4) xyxy."""
    boxes = np.asarray(held.outputs["box"], dtype=np.float64)
    rows = [
        np.asarray(sample_letterbox(sample, held.input_hw).to_original(box[None]))[0]
        for sample, box in zip(held.samples, boxes, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _species_figures(truth: npt.NDArray[np.int64], probabilities: npt.ArrayLike) -> dict[str, float]:
    return {
        "accuracy": metrics.accuracy(truth, probabilities),
        "balanced_accuracy": metrics.balanced_accuracy(truth, probabilities),
        "log_loss": metrics.log_loss(truth, probabilities),
        "calibration_error": metrics.expected_calibration_error(truth, probabilities),
    }


def _box_average_precision(held: HeldOut) -> float:
    """Return AP at IoU 0.5 of the box head against the largest fish; its confidence is 1 - P(no fish)."""
    confidence = 1.0 - held.outputs["box_species"][:, held.label_set.index(NO_FISH)]
    found = [
        metrics.ScoredBox(row, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(confidence[row]))
        for row, box in enumerate(predicted_boxes(held))
    ]
    truths = [[sample.label.largest.box.xyxy] if sample.label.largest is not None else [] for sample in held.samples]
    return metrics.average_precision(found, truths)


def _by_species(
    held: HeldOut, truth: npt.NDArray[np.int64], mean: Floats, overlaps: Floats
) -> dict[str, dict[str, float]]:
    chosen, figures = mean.argmax(axis=1), {}
    for place in np.unique(truth):
        mine, called = truth == place, chosen == place
        row = {"images": float(mine.sum()), "recall": float((chosen[mine] == place).mean())}
        row["precision"] = float((truth[called] == place).mean()) if called.any() else 0.0
        if (mine & ~np.isnan(overlaps)).any():
            row["mean_iou"] = float(np.nanmean(overlaps[mine]))
        figures[held.label_set.names[place]] = row
    return figures


def _by_camera(held: HeldOut, truth: npt.NDArray[np.int64], mean: Floats) -> dict[str, dict[str, float]]:
    cameras, figures = np.array([sample.camera for sample in held.samples]), {}
    for camera in np.unique(cameras):
        mine = cameras == camera
        figures[str(camera)] = {
            "images": float(mine.sum()),
            "accuracy": metrics.accuracy(truth[mine], mean[mine]),
            "log_loss": metrics.log_loss(truth[mine], mean[mine]),
        }
    return figures
