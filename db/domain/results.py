"""One image of a job as it comes out of the store: its prediction, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from db.domain.corrections import Correction
from db.domain.final_answer import Distribution, final_probabilities, most_probable
from db.domain.jobs import ItemState
from db.domain.predictions import Agreement, Detection
from db.domain.taken_with import UNTOLD, TakenWith

# Measured on 1,756 images of unseen boats (docs/results.md): above it, as many fish are lost as false boxes go.
SURE_BOX = 0.95
# A novelty above it lies beyond the edge of what a model learnt from.
KNOWN_EDGE = 1.0


@dataclass(frozen=True)
class StoredDetection:
    """A detection with its id in the database and its crop file, relative to HOME (None where none was cut).

    crop_species, crop_confidence, crop_probabilities: what the second stage says of it; None where there was none.
    """

    detection_id: int
    detection: Detection
    crop_file: str | None
    crop_species: str | None = None
    crop_confidence: float | None = None
    crop_probabilities: Distribution | None = None


@dataclass(frozen=True)
class StoredPrediction:
    """What one model version said of one content, as stored. predicted_at: ISO 8601, UTC.

    crop_probabilities: the second stage's prediction of the image, None where it had none; crop_weight: its share.
    heard_images: how many images of the job's camera, itself among them, its crops answered together with; 0 where they
    answered alone.
    error_probability: the chance that the image's species is wrong, 0..1. sure_box: the confidence from which a box
    beside the surest one counts as a fish, 0..1.
    novelty: how far the image lies from all that the model learnt from, above 1 beyond its edge; None where untold.
    heatmap: as `worker.vision.heatmaps` packed it; None where it was not asked for.
    """

    prediction_id: int
    model_version: str
    predicted_at: str
    species: tuple[str, ...]
    box_probabilities: tuple[float, ...]
    heatmap_probabilities: tuple[float, ...]
    detections: tuple[StoredDetection, ...]
    agreement: Agreement
    error_probability: float
    heatmap: bytes | None = None
    crop_probabilities: Distribution | None = None
    crop_weight: float = 0.0
    heard_images: int = 0
    sure_box: float = SURE_BOX
    novelty: float | None = None

    @property
    def probabilities(self) -> Distribution:
        """The image's final species distribution; the rule is that of `db.domain.final_answer`."""
        return final_probabilities(
            self.box_probabilities, self.heatmap_probabilities, self.crop_probabilities, weight=self.crop_weight
        )

    @property
    def final_species(self) -> str:
        """The species with the largest final probability."""
        return most_probable(self.probabilities, self.species)

    @property
    def is_unlike(self) -> bool:
        """Whether the image is unlike all that the model learnt from: no figure of it can be believed."""
        return self.novelty is not None and self.novelty > KNOWN_EDGE

    def is_flagged(self, below: float) -> bool:
        """Whether a person should look: the chance to be right is below, or nothing of the kind was learnt from."""
        return 1.0 - self.error_probability < below or self.is_unlike


@dataclass(frozen=True)
class ImageResult:
    """One item of a job. path: below the job's folder, '/' between folders; bytes that are no UTF-8 are shown as \\xNN.

    relative: the same in bytes; file: the absolute path in bytes (names need not be UTF-8). prediction is None where
    `failure` says why, or where the item still waits or was cancelled. reason: the failure's kind, of a small set.
    review: the newest answer of a person that says what is in the image; None where nobody decided.
    note: what of the file was not as it should be, though it gave an image: rows that are missing, a time that is none.
    taken_with: its place and camera, as the file says.
    """

    item_id: int
    state: ItemState
    path: str
    relative: bytes
    file: bytes
    camera: str
    sha256: str | None
    width_px: int | None
    height_px: int | None
    captured_at: str | None
    prediction: StoredPrediction | None
    reason: str | None
    failure: str | None
    review: Correction | None = None
    note: str | None = None
    taken_with: TakenWith = UNTOLD

    def is_open(self, below: float) -> bool:
        """Whether a person should still look: it is flagged, and nobody has decided."""
        return self.review is None and self.prediction is not None and self.prediction.is_flagged(below)
