"""How a centre detector is trained: how many steps, and at which rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CentreFit:
    """How the centre detector is trained.

    epochs: times through the images; at least min_steps batches, at most max_steps: few images are seen more often, and
    thousands need not each be. peak_rate, species_peak_rate: the highest learning rates. species_batch: windows of the
    bank that the lesson's heads learn from at every step.
    """

    epochs: int = 13
    batch_size: int = 8
    min_steps: int = 220
    max_steps: int = 2000
    peak_rate: float = 1.5e-3
    species_peak_rate: float = 2e-3
    species_batch: int = 16
    seed: int = 0

    def steps(self, images: int) -> int:
        """Return how many batches a training on so many images takes.

        >>> CentreFit().steps(20), CentreFit().steps(150), CentreFit().steps(3800)
        (220, 244, 2000)
        """
        return int(np.clip(-(-images * self.epochs // self.batch_size), self.min_steps, self.max_steps))
