"""The whole story of one image: where it lies, what was said of it, and which models learnt from that."""

from __future__ import annotations

from dataclasses import dataclass

from db.domain.taken_with import TakenWith


@dataclass(frozen=True)
class ToldJob:
    """A job that the image was an item of. model_asked: None follows the champion."""

    job_id: int
    file: str
    state: str
    model_asked: str | None
    shows_model: str | None
    failure: str | None


@dataclass(frozen=True)
class ToldPrediction:
    """What a model version said. state: of that version now; error_probability: the chance that it is wrong, 0..1."""

    model_id: str
    state: str
    species: str
    agreement: float
    error_probability: float
    fish_count: int
    predicted_at: str


@dataclass(frozen=True)
class ToldExport:
    """An export that showed the image to a person."""

    export_id: str
    folder: str
    model_id: str | None
    why: str
    at_random: bool
    exported_at: str


@dataclass(frozen=True)
class ToldSaying:
    """What a person or a label file said. who: the reviewer, or the label file and the place in it."""

    kind: str
    who: str
    species: str | None
    boxes: int
    outcome: str
    said_at: str


@dataclass(frozen=True)
class ToldDataset:
    """A data set that the image was in, and the models that learnt from it: `held_out` evaluated them instead."""

    dataset_id: int
    origin: str
    species: str
    weight: float
    held_out: bool
    taken_at: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Story:
    """Everything known of one content; times are ISO 8601, UTC; paths are shown, not to be opened."""

    sha256: str
    width_px: int | None
    height_px: int | None
    captured_at: str | None
    taken_with: TakenWith
    note: str | None
    camera: str | None
    files: tuple[str, ...]
    jobs: tuple[ToldJob, ...]
    predictions: tuple[ToldPrediction, ...]
    exports: tuple[ToldExport, ...]
    sayings: tuple[ToldSaying, ...]
    datasets: tuple[ToldDataset, ...]
