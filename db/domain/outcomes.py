"""What a worker found out about one item of its batch, before it is stored."""

from __future__ import annotations

from dataclasses import dataclass

from db.domain.final_answer import CropPrediction
from db.domain.predictions import Prediction
from db.domain.runtimes import Runtime
from db.domain.taken_with import UNTOLD, TakenWith


@dataclass(frozen=True)
class NewPrediction:
    """A prediction to store. crop_files: one a detection, in their order, relative to HOME. heatmap: packed.

    second: the second stage's prediction, None where the model version has no second stage. runtime: of the detector.
    novelty: how far the image lies from all that the model learnt from, above 1 beyond its edge; None where untold.
    """

    prediction: Prediction
    species: str
    heatmap: bytes
    crop_files: tuple[str | None, ...]
    infer_ms: float
    second: CropPrediction | None = None
    runtime: Runtime = Runtime.KERAS
    novelty: float | None = None


@dataclass(frozen=True)
class SeenImage:
    """A content as it was read: its hash, and what decoding told (None where a stored prediction was used again).

    captured_at: ISO 8601 without a zone. captured_from: who says so, or by what a frame's time is known.
    note: what of it was not as it should be, for people. thumbnail: 9 x 16 RGB, as `db.domain.duplicates` reads it.
    taken_with: its place and camera, as the file says.
    """

    sha256: str
    width_px: int | None = None
    height_px: int | None = None
    captured_at: str | None = None
    captured_from: str | None = None
    note: str | None = None
    thumbnail: bytes | None = None
    taken_with: TakenWith = UNTOLD


@dataclass(frozen=True)
class ItemOutcome:
    """One item's end: an image with a prediction (new, or None where one is stored already), or a failure.

    parameters: what, with content and model version, its result is unique by.
    """

    item_id: int
    file_id: int
    image: SeenImage | None = None
    prediction: NewPrediction | None = None
    reason: str | None = None
    failure: str | None = None
    parameters: str = ""
