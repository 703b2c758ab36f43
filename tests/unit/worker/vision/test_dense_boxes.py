"""Boxes that single cells give become one box a fish; targets and boxes are each other's inverse."""

from __future__ import annotations

import numpy as np
import pytest

from worker.training.data.targets import ltrb_offsets
from worker.vision.dense_boxes import find_dense_boxes

NO_FISH = 2
GRID_HW, INPUT_HW = (4, 6), (64, 96)  # cells of 16 pixels
WHOLE = (0.0, 0.0, 6.0, 4.0)
# Cells (row 1, columns 1..2) and (rows 2..3, column 5); the centre of cell (1, 1) is x 24, y 24.
FISH = np.array([[[14.0, 15.0, 50.0, 33.0], [80.0, 34.0, 95.0, 62.0]]], dtype=np.float32)
OWNERS = np.full((1, *GRID_HW), -1, dtype=np.int16)
OWNERS[0, 1, 1:3], OWNERS[0, 2:4, 5] = 0, 1


def _heatmap(*spots: tuple[int, int, int, float]) -> np.ndarray:
    grid = np.zeros((*GRID_HW, 3))
    grid[..., NO_FISH] = 1.0
    for row, column, species, sure in spots:
        grid[row, column] = 0.0
        grid[row, column, species], grid[row, column, NO_FISH] = sure, 1.0 - sure
    return grid


def _found(heatmap: np.ndarray, frame: tuple[float, float, float, float] = WHOLE):
    sides = ltrb_offsets(FISH, OWNERS, input_hw=INPUT_HW)[0]
    return find_dense_boxes(heatmap, sides, no_fish_index=NO_FISH, frame=frame, input_hw=INPUT_HW)


def test_sides_are_measured_from_the_centre_of_each_cell() -> None:
    sides = ltrb_offsets(FISH, OWNERS, input_hw=INPUT_HW)[0]

    assert sides[1, 1].tolist() == [10.0, 9.0, 26.0, 9.0]
    assert sides[0, 0].tolist() == [0.0, 0.0, 0.0, 0.0]


def test_cells_of_one_fish_give_one_box_and_two_fish_give_two_the_surest_first() -> None:
    found = _found(_heatmap((1, 1, 0, 0.6), (1, 2, 0, 0.9), (2, 5, 1, 0.8), (3, 5, 1, 0.5)))

    assert [one.box for one in found] == [pytest.approx((14, 15, 50, 33)), pytest.approx((80, 34, 95, 62))]
    assert [(one.species_index, one.confidence) for one in found] == [(0, 0.9), (1, 0.8)]


def test_the_cells_of_a_fish_vote_for_its_species() -> None:
    # 0.9 for species 0 in one cell against 0.6 and 0.7 for species 1 in two; weights are each cell's certainty.
    found = _found(_heatmap((2, 5, 0, 0.7), (3, 5, 1, 0.69)))
    assert found[0].species_index == 0

    unsure = _heatmap((2, 5, 0, 0.7), (3, 5, 1, 0.69))
    unsure[2, 5] = [0.4, 0.3, 0.3]
    assert _found(unsure)[0].species_index == 1


def test_cells_in_the_letterbox_border_and_unsure_ones_have_no_say() -> None:
    assert _found(_heatmap((1, 1, 0, 0.9)), frame=(0.0, 2.0, 6.0, 4.0)) == []
    assert _found(_heatmap((1, 1, 0, 0.29))) == []
    assert _found(_heatmap()) == []
