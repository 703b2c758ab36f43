"""Stands in for a detector where all but the network is measured or tested: a worker serves it, nobody trains it."""

from __future__ import annotations

import numpy as np

from db.domain.model_versions import ModelCard
from db.domain.runtimes import Runtime
from worker.inference.raw_outputs import Images, RawOutputs


class NoopDetector:
    """The same interface without a network: outputs computed from a few pixels, for measuring all the rest."""

    runtime = Runtime.KERAS

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def predict(self, batch: Images, *, once: bool = False) -> RawOutputs:
        """Return plausible outputs that depend only on the pixels: one fish per image, in a fixed place."""
        count, species = len(batch), len(self.card.species)
        rows, columns = self.card.input_hw
        chosen = batch[:, rows // 2, columns // 2].astype(np.int64).sum(axis=1) % species  # (B,)
        logits = np.zeros((count, -(-rows // 16), -(-columns // 16), species), dtype=np.float32)
        logits[..., :] = -4.0
        middle_row, middle_column = logits.shape[1] // 2, logits.shape[2] // 2
        logits[np.arange(count), middle_row, middle_column, chosen] = 4.0
        box = np.tile(np.array([0.4 * columns, 0.4 * rows, 0.6 * columns, 0.6 * rows], dtype=np.float32), (count, 1))
        distribution = np.full((count, species), 0.2 / max(species - 1, 1), dtype=np.float32)
        distribution[np.arange(count), chosen] = 0.8
        return RawOutputs(box=box, box_species=distribution, heatmap=logits, heatmap_species=distribution.copy())

    def warm_up(self) -> None:
        """Nothing to load."""
