"""What a training of the detector is asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from db.domain.fish_size import whole_cells
from db.domain.species import DEFAULT_LABEL_SET, LabelSet
from worker.models.names import DEFAULT_TRUNK, INPUT_HW, DetectorKind, HeadName
from worker.training.detector.centre_fit import CentreFit
from worker.training.detector.fine_tune import FineTune
from worker.training.detector.fit import FitSettings


@dataclass(frozen=True)
class TrainSettings:
    """What to train and how.

    kind: how fish are found. input_hw: rows, columns. weights: `imagenet`, `random` or a file.
    held_out: these cameras are evaluated on (a retraining evaluates on the same as the champion); else about
    held_out_share of the images, by whole cameras. final_fit: after evaluation, train again on everything.
    fit: of both heads. epochs: at most so many, instead of the fit's.
    tune_in: the whole centre detector is fine-tuned, too, and keeps its place in this folder meanwhile; None for not.
    augment: so many changed views of each image beside itself. fine_tune: also the trunk's last blocks.
    seed: the same one gives the same model on one machine.
    """

    kind: DetectorKind = DetectorKind.LESSON
    trunk: str = DEFAULT_TRUNK
    layer: str | None = None
    input_hw: tuple[int, int] = INPUT_HW[DetectorKind.LESSON]
    heads: tuple[HeadName, HeadName] = (HeadName.BOX_SPECIES, HeadName.HEATMAP_HIRES)
    weights: str | Path = "imagenet"
    label_set: LabelSet = DEFAULT_LABEL_SET
    held_out_share: float = 0.2
    held_out: tuple[str, ...] = ()
    final_fit: bool = False
    fit: FitSettings = dataclasses.field(default_factory=FitSettings)
    epochs: int | None = None
    augment: int = 0
    fine_tune: FineTune | None = None
    tune_in: Path | None = None
    seed: int = 0
    parent: str | None = None
    command: str = ""

    def fit_of(self, head: HeadName) -> FitSettings:
        """Return how a head is trained."""
        fit = dataclasses.replace(self.fit, seed=self.seed)
        return dataclasses.replace(fit, epochs=self.epochs, min_steps=0) if self.epochs else fit

    def centre_fit(self) -> CentreFit:
        """Return how a centre detector is trained."""
        if self.epochs is None:
            return CentreFit(seed=self.seed)
        return CentreFit(epochs=self.epochs, min_steps=1, seed=self.seed)


def input_hw_of(kind: DetectorKind, asked_hw: tuple[int, int]) -> tuple[int, int]:
    """Return the input size that a detector of this kind takes: as asked for, or the next one of whole cells."""
    if kind is DetectorKind.LESSON:
        return asked_hw
    return whole_cells(asked_hw[0]), whole_cells(asked_hw[1])
