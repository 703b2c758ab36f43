"""A camera's fish size, estimated from what a detector sees at each input."""

from __future__ import annotations

import numpy as np
import pytest

from db.domain.fish_size import InputStep, input_steps
from worker.cameras.estimate_size import SeenAtStep, estimate_fish_px

_STEPS = input_steps((288, 512))


def _camera(fish_px: float, *, best: float = 0.5, others: float = 0.04):
    """A detector that is sure of fish near the size it was taught, and of crates of 85 pixels a little everywhere."""

    def look(step: InputStep) -> SeenAtStep:
        off = np.log(fish_px * step.zoom / 85.0)
        score = best * np.exp(-0.5 * (off / 0.5) ** 2)
        fish = (np.full(6, score), np.full(6, fish_px))
        crates = (np.full(6, others), np.full(6, 85.0 / step.zoom))
        return SeenAtStep(step, *(np.concatenate(pair) for pair in zip(fish, crates, strict=True)))

    return look


@pytest.mark.parametrize("fish_px", [40.0, 60.0, 85.0, 120.0, 170.0])
def test_the_size_that_is_surest_and_fits_is_taken(fish_px: float) -> None:
    assert estimate_fish_px(_STEPS, _camera(fish_px)) == pytest.approx(fish_px, rel=0.2)


def test_where_nothing_is_seen_clearly_there_is_no_estimate() -> None:
    assert estimate_fish_px(_STEPS, _camera(60.0, best=0.05)) is None


def test_no_boxes_at_all_are_no_estimate() -> None:
    nothing = np.zeros(0)

    assert estimate_fish_px(_STEPS, lambda step: SeenAtStep(step, nothing, nothing)) is None
