"""Keeps the deeper features of the latest windows, so that heads can learn from a window more than once."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.training.detector.draw_batches import WindowBatch, stack

Floats = npt.NDArray[np.float32]

CAPACITY_WINDOWS = 768  # 170 MB of the default trunk's features
_NO_PIXELS = np.zeros((1, 0), dtype=np.uint8)


@dataclass(frozen=True)
class BankBatch:
    """Windows drawn from the bank: features of strides 16 and 32, (B, h, w, C), and what to learn of them."""

    levels: tuple[Floats, Floats]
    taught: WindowBatch


class WindowBank:
    """A ring of windows. Features are kept in 16 bits."""

    def __init__(self, *, seed: int, capacity: int = CAPACITY_WINDOWS) -> None:
        self._rng = np.random.default_rng([seed, 3])
        self._kept: deque[tuple[tuple[npt.NDArray[np.float16], ...], WindowBatch]] = deque(maxlen=capacity)

    def add(self, levels: Sequence[Floats], batch: WindowBatch) -> None:
        """Keep a batch's windows; the oldest go where there is no room. levels: of strides 16 and 32."""
        half = [np.clip(level, -65504.0, 65504.0).astype(np.float16) for level in levels]
        for row in range(len(batch.species)):
            self._kept.append((tuple(level[row] for level in half), _row(batch, row)))

    def draw(self, count: int) -> BankBatch:
        """Return so many windows drawn at random, a window perhaps more than once."""
        chosen = [self._kept[place] for place in self._rng.integers(len(self._kept), size=count)]
        first, second = (np.stack([levels[place] for levels, _ in chosen]).astype(np.float32) for place in (0, 1))
        return BankBatch((first, second), stack([taught for _, taught in chosen]))


def _row(batch: WindowBatch, row: int) -> WindowBatch:
    """Return one window's targets, without its pixels and without what only the centre head learns."""
    names = [name for name in WindowBatch.__dataclass_fields__ if name not in ("windows", "centres", "sides")]
    kept = {name: getattr(batch, name)[row : row + 1] for name in names}
    nothing = np.zeros((1, 0), dtype=np.float32)
    return dataclasses.replace(batch, windows=_NO_PIXELS, centres=nothing, sides=nothing, **kept)
