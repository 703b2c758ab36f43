"""What the two heads said of one image: detections, species distributions, heat maps, agreement."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from db.domain.boxes import Box

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Head(StrEnum):
    """Which head a detection came from."""

    BOX_SPECIES = "box_species"
    HEATMAP = "heatmap"


@dataclass(frozen=True)
class Detection:
    """One fish as one head sees it; the box in pixels of the upright original.

    Raises:
        ValueError: the confidence is outside 0..1.
    """

    box: Box
    species: str
    confidence: float
    head: Head

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence is not between 0 and 1: {self.confidence}")


@dataclass(frozen=True)
class Agreement:
    """How far the predictions say the same of one image, with the parts of the two heads' difference.

    score: 0..1, 1 = all predictions, also the second stage's, back the answer, and both heads box one place. iou: of
    the heat-map head's strongest region with the box head's box; 1 where both say no fish, 0 where only one does.
    species_distance: Jensen-Shannon distance of the two species distributions, base 2, 0..1. entropies: of each
    distribution, divided by log(S), 0..1. confidences: each head's largest probability. fish_count: regions that the
    heat-map head boxed.
    """

    score: float
    iou: float
    species_distance: float
    box_entropy: float
    heatmap_entropy: float
    box_confidence: float
    heatmap_confidence: float
    fish_count: int


@dataclass(frozen=True)
class Prediction:
    """Everything that one model version says of one image.

    box_probabilities, heatmap_probabilities: one figure a species of the label set, in its order, each sums to 1.
    heatmap: (H, W, S) float16, the species heat map before pooling, as `worker.vision.heatmaps` made it 0..1.
    frame: the part of the heat-map grid that shows the image (x_min, y_min, x_max, y_max in grid cells), the rest is
    letterbox border.
    """

    width_px: int
    height_px: int
    box_probabilities: tuple[float, ...]
    heatmap_probabilities: tuple[float, ...]
    detections: tuple[Detection, ...]
    agreement: Agreement
    heatmap: npt.NDArray[np.float16]
    frame: tuple[float, float, float, float]

    def of_head(self, head: Head) -> tuple[Detection, ...]:
        """The detections of one head, most confident first."""
        return tuple(found for found in self.detections if found.head is head)
