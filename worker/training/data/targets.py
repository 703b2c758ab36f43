"""What the heads are to learn of each image: its species, the largest fish's box, and a species a grid cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.species import NO_FISH, LabelSet
from worker.training.data.samples import TrainingSample
from worker.vision.letterbox import Letterbox, fit_letterbox

UNKNOWN_CELL = -1
NO_OWNER = -1


@dataclass(frozen=True)
class Targets:
    """Arrays over N images, all in pixels of the letterboxed input.

    species: (N,) places on the species axis. boxes: (N, 4) xyxy, zeros for none. box_weights: (N,), 0 where there is
    no box: were 0,0,0,0 learnt for "no fish", an unsure image's box would be drawn halfway to the corner; serving
    sets it instead. looks: (N, h, w) of the features' grid, the share of the largest box in each cell, sums to 1 or 0.
    cells: (N, h, w) of the heat map's grid, int8 places on the species axis, -1 where not known. fish: (N, M, 4) every
    fish's box, zeros beyond an image's last one. owners: (N, h, w) int16, which of an image's fish each cell shows,
    -1 for none.
    """

    species: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float32]
    box_weights: npt.NDArray[np.float32]
    looks: npt.NDArray[np.float32]
    cells: npt.NDArray[np.int8]
    fish: npt.NDArray[np.float32]
    owners: npt.NDArray[np.int16]


def make_targets(
    samples: Sequence[TrainingSample],
    *,
    label_set: LabelSet,
    input_hw: tuple[int, int],
    grid_hw: tuple[int, int],
    look_hw: tuple[int, int] | None = None,
) -> Targets:
    """Return the targets of every image.

    grid_hw: rows, columns of the heat map; look_hw: of the features, the same where not given.

    Raises:
        UnknownSpecies: a label is not in the label set.
    """
    species = np.array([label_set.index(sample.label.species) for sample in samples], dtype=np.int64)
    boxes = np.zeros((len(samples), 4), dtype=np.float32)
    weights = np.zeros(len(samples), dtype=np.float32)
    look_hw = look_hw or grid_hw
    looks = np.zeros((len(samples), *look_hw), dtype=np.float32)
    cells = np.full((len(samples), *grid_hw), UNKNOWN_CELL, dtype=np.int8)
    most = max((len(sample.label.boxes) for sample in samples), default=0)
    fish = np.zeros((len(samples), max(most, 1), 4), dtype=np.float32)
    owners = np.full((len(samples), *grid_hw), NO_OWNER, dtype=np.int16)
    for row, sample in enumerate(samples):
        letterbox = sample_letterbox(sample, input_hw)
        if sample.label.largest is not None:
            boxes[row] = np.asarray(letterbox.to_input(np.array([sample.label.largest.box.xyxy])))[0]
            weights[row] = 1.0
            looks[row] = box_shares(boxes[row], input_hw=input_hw, grid_hw=look_hw)
        fish[row, : len(sample.label.boxes)] = boxes_in_input(sample, letterbox)
        owners[row] = cell_owners(fish[row, : len(sample.label.boxes)], input_hw, grid_hw)
        cells[row] = _cells(sample, owners[row], label_set)
    return Targets(species, boxes, weights, looks, cells, fish, owners)


def sample_letterbox(sample: TrainingSample, input_hw: tuple[int, int]) -> Letterbox:
    """Return how the image is fitted into the trunk's input."""
    return fit_letterbox(width_px=sample.width_px, height_px=sample.height_px, into_hw=input_hw)


def boxes_in_input(sample: TrainingSample, letterbox: Letterbox) -> npt.NDArray[np.float64]:
    """Return the labelled boxes in input pixels, (M, 4) xyxy."""
    boxes = np.array([labelled.box.xyxy for labelled in sample.label.boxes], dtype=np.float64).reshape(-1, 4)
    return np.asarray(letterbox.to_input(boxes), dtype=np.float64)


def flip_boxes(boxes: npt.NDArray[np.float32], *, width_px: int) -> npt.NDArray[np.float32]:
    """Return boxes of an image mirrored left to right; the box 0,0,0,0 (none) stays.

    >>> flip_boxes(np.array([[10, 0, 30, 5], [0, 0, 0, 0]], dtype=np.float32), width_px=100).tolist()
    [[70.0, 0.0, 90.0, 5.0], [0.0, 0.0, 0.0, 0.0]]
    """
    flipped = boxes.copy()
    some = boxes.any(axis=1)
    flipped[some, 0], flipped[some, 2] = width_px - boxes[some, 2], width_px - boxes[some, 0]
    return flipped


def class_weights(species: npt.NDArray[np.int64], *, count: int) -> npt.NDArray[np.float32]:
    """Return a weight a species: the square root of balance, mean 1 over the images; 0 for species not seen.

    The root lies between ignoring rare species and believing five images as much as a thousand.
    """
    seen = np.bincount(species, minlength=count).astype(np.float64)
    weights = np.divide(1.0, np.sqrt(seen), out=np.zeros(count), where=seen > 0)
    return (weights * len(species) / max(float(np.sum(weights * seen)), 1e-12)).astype(np.float32)


def box_shares(box: npt.ArrayLike, *, input_hw: tuple[int, int], grid_hw: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return how much of a box lies in each cell; (h, w), sums to 1, or all 0 for a box outside the input.

    >>> box_shares([0, 0, 24, 16], input_hw=(32, 32), grid_hw=(2, 2)).astype(float).round(2).tolist()
    [[0.67, 0.33], [0.0, 0.0]]
    """
    x_min, y_min, x_max, y_max = np.asarray(box, dtype=np.float64)
    sides = []
    for low, high, cells, pixels in ((y_min, y_max, grid_hw[0], input_hw[0]), (x_min, x_max, grid_hw[1], input_hw[1])):
        edges = np.linspace(0.0, pixels, cells + 1)
        sides.append(np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0.0, None))
    shares = np.outer(sides[0], sides[1])
    return np.asarray(shares / max(float(shares.sum()), 1e-9), dtype=np.float32)


def ltrb_offsets(
    fish: npt.NDArray[np.float32], owners: npt.NDArray[np.int16], *, input_hw: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Return how far each cell's centre lies from the left, top, right and bottom of its fish; (B, h, w, 4) pixels.

    fish: (B, M, 4). owners: (B, h, w). Zeros for cells without a fish; never negative.
    Source: Tian et al. 2019 (FCOS), section 3.1.
    """
    rows, columns = owners.shape[1:]
    x = (np.arange(columns) + 0.5) * (input_hw[1] / columns)
    y = (np.arange(rows) + 0.5) * (input_hw[0] / rows)
    centres = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1)  # (h, w, 2)
    boxes = fish[np.arange(len(fish))[:, None, None], np.maximum(owners, 0)]  # (B, h, w, 4)
    sides = np.concatenate([centres - boxes[..., :2], boxes[..., 2:] - centres], axis=-1)
    return np.asarray(np.where(owners[..., None] == NO_OWNER, 0.0, np.maximum(sides, 0.0)), dtype=np.float32)


def cell_owners(
    fish: npt.NDArray[np.float32], input_hw: tuple[int, int], grid_hw: tuple[int, int]
) -> npt.NDArray[np.int16]:
    """Return which fish each cell shows, (h, w), -1 for none. fish: (M, 4) xyxy, input pixels."""
    owners = np.full(grid_hw, NO_OWNER, dtype=np.int16)
    boxes = fish.astype(np.float64) * np.array([grid_hw[1] / input_hw[1], grid_hw[0] / input_hw[0]] * 2)  # in cells
    # Large fish first, so that a small one in front of it is not painted over.
    for place in np.argsort(-np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), kind="stable"):
        rows, columns = _covered(boxes[place], grid_hw)
        owners[rows, columns] = place
    return owners


def _cells(sample: TrainingSample, owners: npt.NDArray[np.int16], label_set: LabelSet) -> npt.NDArray[np.int8]:
    if not sample.label.boxes and not sample.label.is_empty:
        return np.full(owners.shape, UNKNOWN_CELL, dtype=np.int8)
    species = [label_set.index(labelled.species) for labelled in sample.label.boxes]
    # The last entry is what owner -1 points at.
    return np.array([*species, label_set.index(NO_FISH)], dtype=np.int8)[owners]


def _covered(box_cells: npt.NDArray[np.float64], grid_hw: tuple[int, int]) -> tuple[slice, slice]:
    """Return the cells whose centres a box covers, at least the one that its own centre lies in."""
    spans = []
    for low, high, size in ((box_cells[1], box_cells[3], grid_hw[0]), (box_cells[0], box_cells[2], grid_hw[1])):
        first, last = int(np.ceil(low - 0.5)), int(np.floor(high - 0.5))
        if last < first:
            first = last = int((low + high) / 2.0)
        spans.append(slice(int(np.clip(first, 0, size - 1)), int(np.clip(last, 0, size - 1)) + 1))
    return spans[0], spans[1]
