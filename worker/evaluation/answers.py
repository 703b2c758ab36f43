"""What one compared model (a head, an average, a baseline, a model version) says of evaluated images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from db.domain.box_overlaps import box_iou_batch
from db.domain.species import LabelSet
from worker.training import metrics
from worker.training.data.samples import TrainingSample

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
XYXY = tuple[float, float, float, float]


@dataclass(frozen=True)
class FoundFish:
    """A predicted box: where in pixels of the original, of which species, how sure 0..1."""

    xyxy: XYXY
    species_index: int
    confidence: float


@dataclass(frozen=True)
class Answers:
    """A compared model's answers to all evaluated images, in their order.

    probabilities: (N, S). largest: (N, 4) xyxy, pixels, the box of the largest fish; None of a compared model that
    gives none. found: every fish it boxes, by image; None likewise. seconds: what its training took, all folds.
    heatmaps: packed, by image, empty where nobody wants to look at them.
    """

    name: str
    probabilities: Floats
    largest: Floats | None = None
    found: Sequence[Sequence[FoundFish]] | None = None
    seconds: float = 0.0
    heatmaps: Sequence[bytes] = ()


@dataclass(frozen=True)
class EvaluatedImages:
    """The evaluated images. folds: (N,) which fold evaluated each one."""

    samples: Sequence[TrainingSample]
    folds: Ints
    label_set: LabelSet

    @cached_property
    def truth(self) -> Ints:
        """The true species, (N,) places on the species axis."""
        return np.array([self.label_set.index(sample.label.species) for sample in self.samples], dtype=np.int64)

    @cached_property
    def cameras(self) -> npt.NDArray[np.str_]:
        """Each image's camera, (N,)."""
        return np.array([sample.camera for sample in self.samples])


def largest_iou(evaluated: EvaluatedImages, answers: Answers) -> Floats:
    """Return the IoU of each image's predicted box with its largest labelled fish; NaN where none is boxed. (N,)."""
    overlaps = np.full(len(evaluated.samples), np.nan)
    if answers.largest is not None:
        for row, (sample, box) in enumerate(zip(evaluated.samples, answers.largest, strict=True)):
            if sample.label.largest is not None:
                overlaps[row] = box_iou_batch(box, np.array([sample.label.largest.box.xyxy]))[0, 0]
    return overlaps


def fish_average_precision(
    evaluated: EvaluatedImages, answers: Answers, rows: Ints, *, species_index: int | None = None
) -> float:
    """Return the AP at IoU 0.5 of every labelled fish, of one species where given; NaN where there is none to find.

    Images of which only the species is known are left out: nobody said where their fish are.
    """
    if answers.found is None:
        return float("nan")
    told = [row for row in rows if evaluated.samples[row].label.boxes or evaluated.samples[row].label.is_empty]

    def wanted(place: int) -> bool:
        return species_index is None or place == species_index

    found = [
        metrics.ScoredBox(number, fish.xyxy, fish.confidence)
        for number, row in enumerate(told)
        for fish in answers.found[row]
        if wanted(fish.species_index)
    ]
    truths = [
        [box.box.xyxy for box in evaluated.samples[row].label.boxes if wanted(evaluated.label_set.index(box.species))]
        for row in told
    ]
    return metrics.average_precision(found, truths)
