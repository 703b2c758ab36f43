"""Draws the batches of the centre detector's training: which images, which window of each, and its targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from db.domain.boxes import Box
from db.domain.cameras import side_of
from db.domain.species import LabelSet
from worker.models.any_size_heads import HEADS_STRIDE_PX
from worker.models.centre_head import CENTRE_STRIDE_PX
from worker.training.data.samples import TrainingSample
from worker.training.detector.centre_targets import centre_targets
from worker.training.detector.recolour import recolour
from worker.training.detector.species_targets import species_targets
from worker.training.detector.windows import Window, draw_window, seen_boxes, show

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

# Cells that show what was once taken for a fish, against those of the deck at large.
_HARD = 3.0
# Cameras found by background leave odd images alone; a camera of fewer images than this is drawn less often, or those
# would be most of what is learnt.
_WHOLE_CAMERA = 8
_WHOLE = 0.9  # of an image's area: a window that shows so much shows what the image's label says


class HeldPixels(Protocol):
    """Gives the pixels of a training image, perhaps reduced."""

    def pixels(self, row: int) -> npt.NDArray[np.uint8]:
        """Return the image of this row, (H, W, 3) RGB."""


@dataclass(frozen=True)
class WindowBatch:
    """Windows (B, h, w, 3) uint8 and what to learn of them, as the losses want it.

    centres: (B, h8, w8, 2) hills and counts. sides: (B, h8, w8, 5). cells: (B, h16, w16, 1), location: (B, h16 * w16),
    boxes: (B, 4), box_weights, species, species_weights, counts: (B,).
    """

    windows: npt.NDArray[np.uint8]
    centres: Floats
    sides: Floats
    cells: Floats
    location: Floats
    boxes: Floats
    box_weights: Floats
    species: Rows
    sure: Floats
    counts: Floats


@dataclass(frozen=True)
class BatchSource:
    """Everything that batches are drawn from. fish_px: of each camera, in the nominal frame."""

    samples: Sequence[TrainingSample]
    images: HeldPixels
    rows: Rows
    fish_px: dict[str, float]
    label_set: LabelSet
    input_hw: tuple[int, int]
    batch_size: int
    seed: int

    def batches(self, steps: int, *, first: int = 0) -> Iterator[WindowBatch]:
        """Yield the batches of so many steps, from the first on; the next is drawn while a batch is learnt from."""
        rows = draw_rows(
            [self.samples[row].camera for row in self.rows], count=steps * self.batch_size, seed=self.seed
        ).reshape(steps, self.batch_size)
        if first >= steps:
            return
        with ThreadPoolExecutor(1, thread_name_prefix="windows") as pool:
            following = pool.submit(self.batch, self.rows[rows[first]], first)
            for step in range(first, steps):
                batch = following.result()
                if step + 1 < steps:
                    following = pool.submit(self.batch, self.rows[rows[step + 1]], step + 1)
                yield batch

    def batch(self, rows: Rows, step: int) -> WindowBatch:
        """Return the batch of these images at a step; the same one whenever it is asked for."""
        rng = np.random.default_rng([self.seed, step])
        return stack([self._window(int(row), rng) for row in rows])

    def _window(self, row: int, rng: np.random.Generator) -> WindowBatch:
        sample = self.samples[row]
        size = {"width_px": sample.width_px, "height_px": sample.height_px}
        boxes = _xyxy([labelled.box for labelled in sample.label.boxes])
        looked_at = np.concatenate([boxes, _xyxy(sample.false_boxes)])
        window = draw_window(rng, looked_at, fish_px=self.fish_px.get(sample.camera), size_hw=self.input_hw, **size)
        pixels = recolour(show(self.images.pixels(row), window, **size), rng)
        return self._taught(sample, boxes, window, pixels)

    def _taught(
        self, sample: TrainingSample, boxes: npt.NDArray[np.float64], window: Window, pixels: npt.NDArray[np.uint8]
    ) -> WindowBatch:
        seen = seen_boxes(boxes, window)
        fine, coarse = _grid(self.input_hw, CENTRE_STRIDE_PX), _grid(self.input_hw, HEADS_STRIDE_PX)
        centres = centre_targets(seen.boxes, grid_hw=fine, stride_px=CENTRE_STRIDE_PX)
        whole = _shown_share(window, sample.width_px, sample.height_px) >= _WHOLE
        taught = species_targets(
            sample.label, seen, whole=whole, label_set=self.label_set, input_hw=self.input_hw, grid_hw=coarse
        )
        # Where fish are and nobody boxed them, no cell is known to be background.
        boxed = float(bool(sample.label.boxes) or sample.label.is_empty) * sample.weight
        counts = boxed * self._hard(sample, window, fine)
        return WindowBatch(
            windows=pixels[None],
            centres=np.stack([centres.hills, counts], axis=-1)[None],
            sides=np.concatenate([centres.sides, centres.weights[..., None] * sample.weight], axis=-1)[None],
            cells=taught.cells[None, ..., None].astype(np.float32),
            location=taught.location.reshape(1, -1),
            boxes=taught.box[None],
            box_weights=np.array([float(taught.box.any())], dtype=np.float32),
            species=np.array([taught.species], dtype=np.int64),
            sure=np.array([taught.sure], dtype=np.float32),
            counts=np.array([sample.weight], dtype=np.float32),
        )

    def _hard(self, sample: TrainingSample, window: Window, grid_hw: tuple[int, int]) -> Floats:
        """Return what each cell counts, (h, w): more where a person took a box away."""
        false = seen_boxes(_xyxy(sample.false_boxes), window).boxes
        hills = centre_targets(false, grid_hw=grid_hw, stride_px=CENTRE_STRIDE_PX).hills
        return np.where(hills > 0.0, _HARD, 1.0).astype(np.float32)


def draw_rows(cameras: Sequence[str], *, count: int, seed: int) -> Rows:
    """Return so many places of images, times through all of them: once as they are, once with cameras drawn evenly.

    A camera of a thousand frames shows the same deck a thousand times; one of ten shows another deck. Cameras that may
    be one count as one.
    """
    rng = np.random.default_rng([seed, 1])
    names = np.array(cameras)
    drawn: list[Rows] = []
    while sum(len(part) for part in drawn) < count:
        evenly = len(drawn) % 2 == 1
        drawn.append(_evenly(names, rng) if evenly else rng.permutation(len(names)).astype(np.int64))
    return np.concatenate(drawn)[:count]


def stack(windows: Sequence[WindowBatch]) -> WindowBatch:
    """Return batches as one, in their order."""
    names = [str(name) for name in WindowBatch.__dataclass_fields__]
    return WindowBatch(**{name: np.concatenate([getattr(one, name) for one in windows]) for name in names})


def _evenly(names: npt.NDArray[np.str_], rng: np.random.Generator) -> Rows:
    sides = np.array([side_of(name) for name in names])
    of_camera = [np.flatnonzero(sides == side) for side in np.unique(sides)]
    shares = np.minimum([len(rows) for rows in of_camera], _WHOLE_CAMERA).astype(np.float64)
    chosen = rng.choice(len(of_camera), size=len(names), p=shares / shares.sum())
    return np.array([rng.choice(of_camera[camera]) for camera in chosen], dtype=np.int64)


def _xyxy(boxes: Sequence[Box]) -> npt.NDArray[np.float64]:
    return np.array([box.xyxy for box in boxes], dtype=np.float64).reshape(-1, 4)


def _grid(input_hw: tuple[int, int], stride_px: int) -> tuple[int, int]:
    return input_hw[0] // stride_px, input_hw[1] // stride_px


def _shown_share(window: Window, width_px: int, height_px: int) -> float:
    x_min, y_min, x_max, y_max = window.boxes([[0.0, 0.0, width_px, height_px]])[0]
    across = (min(x_max, window.size_hw[1]) - max(x_min, 0.0)) / (x_max - x_min)
    down = (min(y_max, window.size_hw[0]) - max(y_min, 0.0)) / (y_max - y_min)
    return float(max(0.0, across) * max(0.0, down))
