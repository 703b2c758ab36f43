"""Looks at labelled images before a training starts: what is odd is named, repaired by a stated rule, or refused.

Refused: a label outside the label set (the rest alone would teach that its fish is background). Left out: an image
whose size is not known. Repaired: a box that reaches beyond the frame is cut there; one wholly outside, one of a
few pixels (a click) and one that fills the frame are dropped, and an image that loses its last box so teaches its
species alone, for nothing is known of where the fish is.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass

from db.domain.boxes import Box, clip_box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import LabelSet, UnknownSpecies, unknown_species_text
from worker.images.errors import UnreadableReason
from worker.images.labelled import SkippedFile
from worker.training.data.samples import TrainingSample

_MIN_SIDE_PX = 3.0
_FRAME_SHARE = 0.95
_SLACK_PX = 1.0  # rounding at the frame is not worth a note


@dataclass(frozen=True)
class Oddity:
    """An image and what is odd about it; left_out: whether training goes on without it."""

    file: bytes
    text: str
    left_out: bool


@dataclass(frozen=True)
class CheckedSamples:
    """The images that can be learnt from, repaired where they had to be, and what was odd."""

    samples: tuple[TrainingSample, ...]
    oddities: tuple[Oddity, ...]

    @property
    def left_out(self) -> tuple[Oddity, ...]:
        """The images that cannot be learnt from."""
        return tuple(odd for odd in self.oddities if odd.left_out)

    @property
    def skipped(self) -> tuple[SkippedFile, ...]:
        """The same, as files that gave no image are told."""
        return tuple(SkippedFile(odd.file, UnreadableReason.SIZE_UNKNOWN, odd.text) for odd in self.left_out)

    @property
    def repaired(self) -> tuple[Oddity, ...]:
        """What was repaired, of images that stayed."""
        return tuple(odd for odd in self.oddities if not odd.left_out)


def check_samples(samples: Sequence[TrainingSample], label_set: LabelSet) -> CheckedSamples:
    """Return the images that can be learnt from.

    Raises:
        UnknownSpecies: a label is not in the label set; the message names the image.
    """
    kept, oddities = [], []
    for sample in samples:
        _refuse_unknown(sample, label_set)
        if sample.width_px < 1 or sample.height_px < 1:
            oddities.append(Oddity(sample.file, "its size is not known", left_out=True))
            continue
        repaired, texts = _repaired(sample)
        kept.append(repaired)
        oddities += [Oddity(sample.file, text, left_out=False) for text in texts]
    return CheckedSamples(tuple(kept), tuple(oddities))


def _refuse_unknown(sample: TrainingSample, label_set: LabelSet) -> None:
    named = [("label", sample.label.species)]
    named += [(f"box {number}", labelled.species) for number, labelled in enumerate(sample.label.boxes, start=1)]
    for place, species in named:
        if species not in label_set:
            where = f"{os.fsdecode(sample.file)} {place}"
            raise UnknownSpecies(f"{where}: {unknown_species_text(species, label_set)}")


def _repaired(sample: TrainingSample) -> tuple[TrainingSample, list[str]]:
    boxes: list[LabelledBox] = []
    texts: list[str] = []
    for number, labelled in enumerate(sample.label.boxes, start=1):
        inside = clip_box(labelled.box, width_px=sample.width_px, height_px=sample.height_px)
        if inside is None:
            size = f"{sample.width_px} x {sample.height_px}"
            texts.append(f"box {number} lies outside the image of {size} pixels; dropped")
            continue
        if odd := _says_nothing(inside, sample):
            texts.append(f"box {number} {odd}; dropped")
            continue
        if max(abs(a - b) for a, b in zip(inside.xyxy, labelled.box.xyxy, strict=True)) > _SLACK_PX:
            texts.append(f"box {number} reaches beyond the frame; cut there")
        boxes.append(dataclasses.replace(labelled, box=inside))
    label = ImageLabel(sample.label.species, tuple(boxes))
    return (dataclasses.replace(sample, label=label) if texts else sample), texts


def _says_nothing(box: Box, sample: TrainingSample) -> str | None:
    """Return why a box says nothing of where its fish is, None where it does."""
    sides = (box.x_max - box.x_min, box.y_max - box.y_min)
    if min(sides) < _MIN_SIDE_PX:
        return f"is {sides[0]:.0f} x {sides[1]:.0f} pixels, a click and no box"
    if box.area_px > _FRAME_SHARE * sample.width_px * sample.height_px:
        return "fills the frame"
    return None
