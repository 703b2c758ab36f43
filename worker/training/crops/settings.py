"""What a training of the crop classifier is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from db.domain.species import DEFAULT_LABEL_SET, LabelSet
from worker.models.names import DEFAULT_TRUNK, Balance, CropMethod
from worker.training.crops.features import Canvases
from worker.training.crops.samples import CropSample
from worker.vision.crops import MARGIN


@dataclass(frozen=True)
class CropTrainSettings:
    """What to train and how.

    held_out: cameras kept apart for evaluation, named by the caller; none evaluates nothing. crop_px: side of the
    network's
    input. views: a crop's views that frozen features are made of, at most. turns: quarter turns averaged in serving, 1
    or 4. by_sampling: fine-tuning draws rare species more often instead of counting them more. members: trainings
    whose weights are averaged. epochs, min_steps: of each, the larger of both. kept_steps: after so many a killed
    fine-tuning can go on, at the end of an epoch.
    """

    method: CropMethod = CropMethod.FROZEN
    trunk: str = DEFAULT_TRUNK
    weights: str | Path = "imagenet"
    label_set: LabelSet = DEFAULT_LABEL_SET
    held_out: tuple[str, ...] = ()
    crop_px: int = 160
    margin: float = MARGIN
    turns: int = 4
    balance: Balance = Balance.ROOT
    by_sampling: bool = False
    seed: int = 0
    views: int = 8
    members: int = 2
    epochs: int = 6
    min_steps: int = 100
    kept_steps: int = 25
    batch_size: int = 32
    learning_rate: float = 5e-4
    label_smoothing: float = 0.05


@dataclass(frozen=True)
class CropRows:
    """The usable crops as arrays. species: (N,) places on the species axis; weights: (N,) with class weights."""

    samples: Sequence[CropSample]
    species: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    canvases: Canvases

    def __len__(self) -> int:
        return len(self.samples)

    def only(self, which: npt.NDArray[np.bool_]) -> CropRows:
        """Return some of the crops. which: (N,)."""
        samples = [self.samples[row] for row in np.flatnonzero(which).tolist()]
        return CropRows(samples, self.species[which], self.weights[which], self.canvases)
