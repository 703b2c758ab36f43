"""Chooses the network's input for a camera, so that its typical fish always comes out at one size.

A fish's size is the root of its box's area in the nominal frame: the image fitted into 360 x 640 pixels. So it does not
depend on how many pixels a camera's files have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.vision.letterbox import fit_letterbox

NOMINAL_HW = (360, 640)
# The size that the network is shown fish at: cameras with such fish get the base input, others a larger or smaller one.
TARGET_FISH_PX = 85.0
# Half to double in steps of a root of two: training varies sizes by 0.7 to 1.4, a step is off by 1.19 at most.
ZOOMS = (0.5, 0.7, 1.0, 1.42, 2.0)
# The deepest features have this stride; an input of whole cells needs no cutting on the way up.
_CELL_PX = 32


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
    return min(input_steps(base_hw), key=lambda step: abs(np.log(step.zoom / wanted)))


def wanted_zoom(fish_px: float | None) -> float:
    """Return how many times the base input shows this fish size at the target size; 1 where it is not known."""
    return TARGET_FISH_PX / fish_px if fish_px else 1.0


def fish_sizes_px(boxes: npt.ArrayLike, *, width_px: int, height_px: int) -> npt.NDArray[np.float64]:
    """Return the size of each fish of an image in the nominal frame, (N,). boxes: (N, 4) xyxy, original pixels.

    >>> fish_sizes_px([[0, 0, 200, 50]], width_px=1280, height_px=720).tolist()
    [50.0]
    """
    frame = fit_letterbox(width_px=width_px, height_px=height_px, into_hw=NOMINAL_HW)
    fitted = np.asarray(frame.to_input(boxes), dtype=np.float64)
    sides = np.clip(fitted[:, 2:] - fitted[:, :2], 0.0, None)
    return np.asarray(np.sqrt(sides[:, 0] * sides[:, 1]), dtype=np.float64)


def typical_size_px(sizes_px: Sequence[float] | npt.NDArray[np.float64]) -> float | None:
    """Return the median of a camera's fish sizes, None where there is none."""
    return float(np.median(sizes_px)) if len(sizes_px) else None


def whole_cells(length_px: float) -> int:
    """Return the next length of whole cells of the deepest features.

    Upwards: an image that fills the base input must fill every other one, too.

    >>> whole_cells(144.0), whole_cells(288.0)
    (160, 288)
    """
    return int(np.ceil(length_px / _CELL_PX - 1e-9)) * _CELL_PX
