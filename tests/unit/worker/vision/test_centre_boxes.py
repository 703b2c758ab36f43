"""Boxes from a centre heat map."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from worker.training.detector.centre_targets import centre_targets
from worker.vision.centre_boxes import find_centre_boxes

_GRID = (36, 64)
_WHOLE = (0.0, 0.0, 64.0, 36.0)


def _logits(hills: np.ndarray) -> np.ndarray:
    p = np.clip(hills * 0.9, 1e-4, 1.0)
    return np.log(p / (1 - p))


def test_perfect_maps_give_back_the_boxes_that_made_them() -> None:
    boxes = [[100, 96, 196, 128], [300, 200, 340, 260]]
    made = centre_targets(boxes, grid_hw=_GRID, stride_px=8)

    found = find_centre_boxes(_logits(made.hills), made.sides, frame=_WHOLE, stride_px=8)

    assert_allclose(sorted(one.box for one in found), boxes, atol=0.01)
    assert all(0.89 < one.score <= 0.9 for one in found)


def test_border_shows_no_fish() -> None:
    made = centre_targets([[100, 96, 196, 128]], grid_hw=_GRID, stride_px=8)

    assert not find_centre_boxes(_logits(made.hills), made.sides, frame=(30.0, 0.0, 64.0, 36.0), stride_px=8)


def test_two_peaks_with_one_box_are_one_fish() -> None:
    logits, sides = np.full(_GRID, -9.0), np.full((*_GRID, 4), 40.0)
    logits[10, 10], logits[10, 12], logits[30, 50] = 1.0, 2.0, 0.0

    found = find_centre_boxes(logits, sides, frame=_WHOLE, stride_px=8)

    assert [one.box for one in found] == [(60.0, 44.0, 140.0, 124.0), (364.0, 204.0, 444.0, 284.0)]


def test_at_most_twenty_boxes_are_found() -> None:
    logits = np.full(_GRID, -9.0)
    logits[::4, ::4] = 0.5

    found = find_centre_boxes(logits, np.full((*_GRID, 4), 3.0), frame=_WHOLE, stride_px=8)

    assert len(found) == 20
