"""One labelled image as training sees it: where it lies, whose camera took it, what someone said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from db.domain.box_overlaps import box_iou_batch
from db.domain.boxes import Box
from db.domain.labels import ImageLabel

# A box that was taken away shows no fish only where it meets none: one that overlaps a fish by more is badly placed.
FALSE_BOX_MAX_IOU = 0.1


@dataclass(frozen=True)
class TrainingSample:
    """A labelled image. file: its path in bytes; sha256: of its content; sizes of the upright original.

    weight: how much it counts in every loss; 1 is a label that a person gave. guessed: a model gave the label; it is
    learnt from and never evaluated on. false_boxes: that a person took away, for they show no fish.
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
    false_boxes: tuple[Box, ...] = ()


def with_false_boxes(samples: Sequence[TrainingSample], held: Mapping[str, Sequence[Box]]) -> list[TrainingSample]:
    """Return the samples with the boxes that people took away and that show no fish. held: by content.

    A box that meets a labelled fish was badly placed; it shows one.
    """
    return [replace(one, false_boxes=_showing_none(held.get(one.sha256, ()), one.label)) for one in samples]


def _showing_none(boxes: Sequence[Box], label: ImageLabel) -> tuple[Box, ...]:
    fish = [labelled.box.xyxy for labelled in label.boxes]
    if not fish:
        return tuple(boxes) if label.is_empty else ()  # only the species is known: anything may be a fish
    return tuple(box for box in boxes if box_iou_batch([box.xyxy], fish).max() < FALSE_BOX_MAX_IOU)


def dataset_sha256(samples: Sequence[TrainingSample]) -> str:
    """Return one hash of all images, labels and weights, whatever their order."""
    lines = sorted(f"{sample.sha256} {sample.camera} {sample.label!r} {sample.weight:g}" for sample in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
