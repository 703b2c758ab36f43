"""What a training can be asked for, by name; light, so that the command line can list it at once."""

from __future__ import annotations

from enum import StrEnum


class DetectorKind(StrEnum):
    """How a detector finds fish; a model's card names it."""

    CENTRE = "centre"  # a centre heat map at one fish size; it carries over to other cameras
    LESSON = "detector"  # both heads on features that are computed once


# The kind of detector whose input follows the camera's fish size.
SIZED_KIND = DetectorKind.CENTRE
SIZED_HEATMAP_STRIDE_PX = 16

# Rows, columns where no size is asked for. Fish of the target size are 68 pixels in the first.
INPUT_HW: dict[DetectorKind, tuple[int, int]] = {DetectorKind.CENTRE: (288, 512), DetectorKind.LESSON: (360, 640)}


def size_in_words(input_hw: tuple[int, int]) -> str:
    """Return rows and columns as the command line takes them.

    >>> size_in_words((360, 640))
    '360x640'
    """
    return f"{input_hw[0]}x{input_hw[1]}"


class CropMethod(StrEnum):
    """How the second stage is trained."""

    FROZEN = "frozen"
    FINETUNE = "finetune"


class SecondStageChoice(StrEnum):
    """Whether there is to be a second stage, and how it is trained."""

    NONE = "none"
    FROZEN = "frozen"
    FINETUNE = "finetune"

    @property
    def method(self) -> CropMethod | None:
        """How it is trained; None where there is none."""
        return None if self is SecondStageChoice.NONE else CropMethod(self.value)


class Balance(StrEnum):
    """How much rare species count: as they come, by the root of balance, or all species alike."""

    NONE = "none"
    ROOT = "root"
    FULL = "full"


class Parts(StrEnum):
    """What of the parent is trained anew; the rest is taken over as it is."""

    HEADS = "heads"
    CROPS = "crops"
    BOTH = "both"
