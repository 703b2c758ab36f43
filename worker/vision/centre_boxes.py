"""Turns a centre heat map and the sides that its cells give into boxes: one a fish, surest first. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter
from scipy.special import expit

from worker.vision.heatmaps import non_max_suppression

Floats = npt.NDArray[np.float64]

MIN_SCORE = 0.01  # what is below cannot become a box that matters, on any camera measured
MAX_PEAKS = 60
SAME_FISH_IOU = 0.5
MAX_BOXES = 20


@dataclass(frozen=True)
class CentreBox:
    """One fish. box: xyxy, input pixels. score: of its centre, 0..1, not yet a chance."""

    box: tuple[float, float, float, float]
    score: float


def find_centre_boxes(
    centres: npt.ArrayLike,
    ltrb_offsets: npt.ArrayLike,
    *,
    frame: tuple[float, float, float, float],
    stride_px: int,
    min_score: float = MIN_SCORE,
) -> list[CentreBox]:
    """Return the fish of an image, surest first, at most 20.

    centres: (h, w) logits. ltrb_offsets: (h, w, 4), input pixels from each cell's centre to its fish's left, top, right
    and bottom. frame: the cells that show the image, x_min, y_min, x_max, y_max; a peak elsewhere is none.
    A peak is a cell that no neighbour exceeds. Source: Zhou et al. 2019 ("Objects as points"), section 4.
    """
    scores = np.asarray(expit(np.asarray(centres, dtype=np.float64)))
    rows, columns = _peaks(np.where(cells_in_frame(scores.shape, frame), scores, 0.0), min_score)
    boxes = _boxes_at(rows, columns, np.asarray(ltrb_offsets, dtype=np.float64), stride_px)
    found = scores[rows, columns]
    kept = non_max_suppression(boxes, found, iou_threshold=SAME_FISH_IOU)[:MAX_BOXES]
    return [CentreBox(_xyxy(boxes[place]), float(found[place])) for place in kept]


def cells_in_frame(grid_hw: tuple[int, ...], frame: tuple[float, float, float, float]) -> npt.NDArray[np.bool_]:
    """Return which cells show the image by their centres, (h, w)."""
    x, y = np.arange(grid_hw[1]) + 0.5, np.arange(grid_hw[0]) + 0.5
    across, down = (x >= frame[0]) & (x <= frame[2]), (y >= frame[1]) & (y <= frame[3])
    return np.asarray(down[:, None] & across[None, :])


def _peaks(scores: Floats, min_score: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    top = (scores >= min_score) & (scores == maximum_filter(scores, size=3, mode="constant"))
    rows, columns = np.nonzero(top)
    order = np.argsort(-scores[rows, columns], kind="stable")[:MAX_PEAKS]
    return rows[order], columns[order]


def _boxes_at(
    rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], ltrb_offsets: Floats, stride_px: int
) -> Floats:
    x, y = (columns + 0.5) * stride_px, (rows + 0.5) * stride_px
    centres = np.stack([x, y, x, y], axis=1)
    return np.asarray(centres + ltrb_offsets[rows, columns] * np.array([-1.0, -1.0, 1.0, 1.0]))  # (N, 4)


def _xyxy(box: Floats) -> tuple[float, float, float, float]:
    x_min, y_min, x_max, y_max = (float(side) for side in box)
    return x_min, y_min, x_max, y_max
