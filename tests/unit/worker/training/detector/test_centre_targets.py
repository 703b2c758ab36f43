"""What the centre head learns of a window, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from worker.training.detector.centre_targets import centre_targets

_GRID = (36, 64)


def test_a_fish_is_a_hill_at_its_centre_cell() -> None:
    made = centre_targets([[100, 96, 196, 128]], grid_hw=_GRID, stride_px=8)

    row, column = np.unravel_index(made.hills.argmax(), _GRID)
    assert (row, column) == (14, 18)  # centre (148, 112) px
    assert made.hills[14, 18] == 1.0
    # Across: 0.54 * 96 / 8 / 6 = 1.08 cells; down: 0.36, so the least, 0.6.
    assert made.hills[14, 19] == pytest.approx(np.exp(-0.5 / 1.08**2), rel=1e-5)
    assert made.hills[15, 18] == pytest.approx(np.exp(-0.5 / 0.6**2), rel=1e-5)
    assert made.hills[14, 22] == 0.0  # beyond three deviations


def test_a_cell_knows_its_ltrb_offsets_and_a_fish_counts_one() -> None:
    made = centre_targets([[100, 96, 196, 128]], grid_hw=_GRID, stride_px=8)

    # The cell's centre lies at (148, 116).
    assert made.sides[14, 18].tolist() == [48.0, 20.0, 48.0, 12.0]
    assert made.weights.sum() == pytest.approx(1.0, rel=1e-5)
    assert (made.weights > 0).sum() == (made.hills > 0.05).sum()


def test_of_two_fish_the_smaller_has_the_shared_cells() -> None:
    large, small = [0, 0, 400, 280], [190, 130, 214, 154]

    made = centre_targets([small, large], grid_hw=_GRID, stride_px=8)

    assert made.fish == 2
    assert made.sides[17, 25].tolist() == [204 - 190, 140 - 130, 214 - 204, 154 - 140]
    assert made.sides[17, 28].tolist() == [228.0, 140.0, 172.0, 140.0]


@pytest.mark.parametrize("box", [[0, 0, 2, 2], [0, 0, 512, 288], [510, 286, 512, 288]], ids=["dot", "frame", "corner"])
def test_boxes_of_every_size_have_one_centre(box: list[int]) -> None:
    made = centre_targets([box], grid_hw=_GRID, stride_px=8)

    assert (made.hills == 1.0).sum() == 1
    assert np.isfinite(made.sides).all() and (made.sides >= 0).all()


def test_no_fish_gives_an_empty_map() -> None:
    made = centre_targets([], grid_hw=_GRID, stride_px=8)

    assert made.fish == 0 and not made.hills.any() and not made.weights.any()
