"""What a network says of crops that it has not learnt from: what calibration and choices are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_DIRECTIONS = 64  # keep what tells crops of one camera apart; 128 bytes a detection


@dataclass(frozen=True, eq=False)
class CropOutputs:
    """logits: (N, T, S), of each crop's quarter turns. pooled: (N, C), their mean features."""

    logits: Floats
    pooled: Floats

    def __len__(self) -> int:
        return len(self.logits)


@dataclass(frozen=True, eq=False)
class UnseenCrops:
    """Crops of cameras that a network has not seen, with what is true and what is said of them.

    species: (N,) the true ones. cameras: one a crop. said: the network's. frozen: (N, T, S), a frozen probe's logits;
    None where there is none to be heard beside.
    """

    species: npt.NDArray[np.int64]
    cameras: npt.NDArray[np.str_]
    said: CropOutputs
    frozen: Floats | None = None

    def __len__(self) -> int:
        return len(self.species)


@dataclass(frozen=True, eq=False)
class Embedding:
    """What neighbours are sought by in serving: features freed from a mean (C,), along directions (C, D).

    Pooled features are never below 0: with their mean, crops of every species look alike.
    """

    mean: Floats
    directions: Floats

    @classmethod
    def fitted(cls, pooled: Floats) -> Embedding:
        """Return the embedding of a classifier. pooled: (M, C), its features of training crops."""
        mean = pooled.mean(axis=0)
        directions = np.linalg.svd(pooled - mean, full_matrices=False)[2][:_DIRECTIONS].T
        return cls(mean, np.ascontiguousarray(directions))

    def of(self, crops: UnseenCrops) -> UnseenCrops:
        """Return crops of the same classifier with the features that they have in serving, (N, D)."""
        if not len(crops):
            return crops
        pooled = np.asarray((crops.said.pooled - self.mean) @ self.directions, dtype=np.float32)
        return replace(crops, said=replace(crops.said, pooled=pooled))


def joined(parts: Sequence[UnseenCrops]) -> UnseenCrops:
    """Return the crops of several parts as one; each part's features keep a middle of their own.

    Two networks' features do not compare: each part is freed from its mean, and no camera is in two parts.
    """
    frozen = [part.frozen for part in parts if part.frozen is not None]
    return UnseenCrops(
        np.concatenate([part.species for part in parts]),
        np.concatenate([part.cameras for part in parts]),
        CropOutputs(
            np.concatenate([part.said.logits for part in parts]),
            np.concatenate([part.said.pooled - part.said.pooled.mean(axis=0) for part in parts if len(part)]),
        ),
        np.concatenate(frozen) if len(frozen) == len(parts) else None,
    )
