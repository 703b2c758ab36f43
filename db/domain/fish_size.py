"""How large a camera shows its fish, and which input of the network shows them at the size that it was taught.

A fish's size is the root of its box's area in the nominal frame: the image fitted into 360 x 640 pixels. So it does not
depend on how many pixels a camera's files have.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from db.domain.boxes import Box

NOMINAL_HW = (360, 640)
# The size that the network is shown fish at: cameras with such fish get the base input, others a larger or smaller one.
TARGET_FISH_PX = 85.0
# Half to double in steps of a root of two: training varies sizes by 0.7 to 1.4, a step is off by 1.19 at most.
ZOOMS = (0.5, 0.7, 1.0, 1.42, 2.0)
# So many boxes tell a camera's size; more make it steadier.
ENOUGH_BOXES = 3
# The deepest features have this stride; an input of whole cells needs no cutting on the way up.
_CELL_PX = 32


class FishSizeOrigin(StrEnum):
    """How a camera's fish size is known."""

    PERSON = "person"
    LABELS = "labels"
    ESTIMATE = "estimate"


@dataclass(frozen=True)
class FishSize:
    """The size of a camera's typical fish, pixels of the nominal frame, and how it is known.

    Raises:
        ValueError: such a fish does not fit into the frame.
    """

    fish_px: float
    origin: FishSizeOrigin

    def __post_init__(self) -> None:
        if not (math.isfinite(self.fish_px) and 0.0 < self.fish_px <= math.hypot(*NOMINAL_HW)):
            raise ValueError(f"a fish of {self.fish_px:.4g} pixels does not fit into a frame of 360 x 640")


@dataclass(frozen=True)
class InputStep:
    """One of the few input sizes that a graph is traced for. zoom: against the base input."""

    zoom: float
    input_hw: tuple[int, int]

    @property
    def cost(self) -> float:
        """How many times the base input's work an image of this size takes, nearly."""
        return self.zoom**2


def input_steps(base_hw: tuple[int, int]) -> tuple[InputStep, ...]:
    """Return the input sizes of a detector, the smallest first. base_hw: rows, columns.

    >>> [step.input_hw for step in input_steps((288, 512))]
    [(160, 256), (224, 384), (288, 512), (416, 736), (576, 1024)]
    """
    return tuple(InputStep(zoom, (whole_cells(base_hw[0] * zoom), whole_cells(base_hw[1] * zoom))) for zoom in ZOOMS)


def step_for(fish_px: float | None, base_hw: tuple[int, int]) -> InputStep:
    """Return the input for a camera's fish size; the base input where the size is not known.

    >>> step_for(42.0, (288, 512)).input_hw, step_for(None, (288, 512)).input_hw
    ((576, 1024), (288, 512))
    """
    wanted = wanted_zoom(fish_px)
    return min(input_steps(base_hw), key=lambda step: abs(math.log(step.zoom / wanted)))


def smallest_fish_of_steps() -> tuple[float, ...]:
    """Return from which fish size on each input is taken, those of the smallest input first; of the last from 0.

    >>> [round(size, 1) for size in smallest_fish_of_steps()]
    [143.7, 101.6, 71.3, 50.4, 0.0]
    """
    return (*(TARGET_FISH_PX / math.sqrt(low * high) for low, high in pairwise(ZOOMS)), 0.0)


def wanted_zoom(fish_px: float | None) -> float:
    """Return how many times the base input shows this fish size at the target size; 1 where it is not known."""
    return TARGET_FISH_PX / fish_px if fish_px else 1.0


_SHIFTED = " boxes"


def result_parameters(input_hw: tuple[int, int], *, box_shift: float = 0.0) -> str:
    """Return what, besides content and model version, a result depends on; results are unique by it.

    box_shift: of the camera's log odds, see `box_shift`.

    >>> result_parameters((288, 512)), result_parameters((288, 512), box_shift=-1.5)
    ('letterbox-288x512', 'letterbox-288x512 boxes-1.5')
    """
    return f"letterbox-{input_hw[0]}x{input_hw[1]}{parameters_of_shift(box_shift)}"


def parameters_of_shift(box_shift: float) -> str:
    """Return what a camera's shift adds to the parameters of a result, '' for none."""
    return f"{_SHIFTED}{box_shift:+g}" if box_shift else ""


def shift_in(parameters: str) -> float:
    """Return the shift that the parameters of a result tell.

    >>> shift_in("letterbox-288x512 boxes-1.5"), shift_in("letterbox-288x512")
    (-1.5, 0.0)
    """
    return float(parameters.rpartition(_SHIFTED)[2]) if _SHIFTED in parameters else 0.0


def nominal_scale(*, width_px: int, height_px: int) -> float:
    """Return how many pixels of the nominal frame a pixel of an image is.

    >>> nominal_scale(width_px=1280, height_px=720)
    0.5
    """
    return min(NOMINAL_HW[0] / height_px, NOMINAL_HW[1] / width_px)


def fish_size_px(box: Box, *, width_px: int, height_px: int) -> float:
    """Return a fish's size in the nominal frame.

    >>> fish_size_px(Box(0, 0, 200, 50), width_px=1280, height_px=720)
    50.0
    """
    return math.sqrt(box.area_px) * nominal_scale(width_px=width_px, height_px=height_px)


def typical_size_px(sizes_px: Sequence[float]) -> float | None:
    """Return the median of fish sizes, None where there is none."""
    return float(statistics.median(sizes_px)) if sizes_px else None


def whole_cells(length_px: float) -> int:
    """Return the next length of whole cells of the deepest features.

    Upwards: an image that fills the base input must fill every other one, too.

    >>> whole_cells(144.0), whole_cells(288.0)
    (160, 288)
    """
    return math.ceil(length_px / _CELL_PX - 1e-9) * _CELL_PX
