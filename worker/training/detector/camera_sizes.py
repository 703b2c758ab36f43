"""Tells each training camera's typical fish size from its labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from db.domain.fish_size import ENOUGH_BOXES, TARGET_FISH_PX, fish_size_px, typical_size_px
from worker.training.data.samples import TrainingSample


def camera_fish_sizes(samples: Sequence[TrainingSample]) -> dict[str, float]:
    """Return the typical fish size of every camera in the nominal frame, pixels.

    A camera without boxes has the others' typical size; where there is no box at all it is the target size.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        size = {"width_px": sample.width_px, "height_px": sample.height_px}
        found[sample.camera] += [fish_size_px(labelled.box, **size) for labelled in sample.label.boxes]
    typical = [size for size in map(typical_size_px, found.values()) if size is not None]
    usual = float(np.exp(np.mean(np.log(typical)))) if typical else TARGET_FISH_PX
    return {camera: _own_or_usual(sizes, usual) for camera, sizes in found.items()}


def _own_or_usual(sizes_px: list[float], usual_px: float) -> float:
    own = typical_size_px(sizes_px)
    if own is None:
        return usual_px
    share = min(len(sizes_px) / ENOUGH_BOXES, 1.0)
    return float(np.exp(share * np.log(own) + (1.0 - share) * np.log(usual_px)))
