"""One labelled image as training sees it: where it lies, whose camera took it, what someone said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from db.domain.labels import ImageLabel


@dataclass(frozen=True)
class TrainingSample:
    """A labelled image. file: its path in bytes; sha256: of its content; sizes of the upright original.

    weight: how much it counts in every loss; 1 is a label that a person gave. guessed: a model gave the label; it is
    learnt from and never evaluated on.
    """

    file: bytes
    sha256: str
    camera: str
    label: ImageLabel
    width_px: int
    height_px: int
    captured_at: str | None = None
    weight: float = 1.0
    guessed: bool = False


def dataset_sha256(samples: Sequence[TrainingSample]) -> str:
    """Return one hash of all images, labels and weights, whatever their order."""
    lines = sorted(f"{sample.sha256} {sample.camera} {sample.label!r} {sample.weight:g}" for sample in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
