"""One image of a job as it comes out of the store: its prediction, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from db.domain.jobs import ItemState
from db.domain.predictions import Agreement, Detection


@dataclass(frozen=True)
class StoredDetection:
    """A detection with its id in the database and its crop file, relative to HOME (None where none was cut)."""

    detection_id: int
    detection: Detection
    crop_file: str | None


@dataclass(frozen=True)
class StoredPrediction:
    """What one model version said of one content, as stored. predicted_at: ISO 8601, UTC.

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
    heatmap: bytes | None = None

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The picture's final species distribution: the mean of the two heads'.

        The mean of two calibrated opinions is the linear opinion pool (Stone 1961); it keeps log loss bounded where one
        head is sure and wrong.
        """
        return tuple(
            (box + heat) / 2.0 for box, heat in zip(self.box_probabilities, self.heatmap_probabilities, strict=True)
        )

    @property
    def final_species(self) -> str:
        """The species with the largest final probability."""
        probabilities = self.probabilities
        return self.species[max(range(len(probabilities)), key=probabilities.__getitem__)]

    @property
    def confidence(self) -> float:
        """The largest final probability."""
        return max(self.probabilities)


@dataclass(frozen=True)
class ImageResult:
    """One item of a job. path: below the job's folder, '/' between folders; bytes that are no UTF-8 are shown as \\xNN.

    relative: the same in bytes; file: the absolute path in bytes (names need not be UTF-8). prediction is None where
    `failure` says why, or where the item still waits or was cancelled. reason: the failure's kind, of a small set.
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
