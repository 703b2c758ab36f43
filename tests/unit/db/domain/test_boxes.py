"""Boxes: what a box admits, what is left of it in the image, and how far two are the same."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.domain.box_overlaps import box_iou_batch
from db.domain.boxes import Box, clip_box, iou

sides = st.floats(min_value=0.5, max_value=2000)
places = st.floats(min_value=-2000, max_value=4000)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), places, places, sides, sides)


@pytest.mark.parametrize(
    "coordinates",
    [(0, 0, 0, 5), (5, 0, 1, 5), (0, 5, 5, 5), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)],
    ids=["no width", "inside out", "no height", "not a number", "infinite"],
)
def test_a_box_that_holds_nothing_is_refused(coordinates: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="box"):
        Box(*coordinates)


def test_half_covered_boxes_share_a_third() -> None:
    # Two 2x2 boxes, one shifted by 1: 2 shared of 4 + 4 - 2.
    assert iou(Box(0, 0, 2, 2), Box(1, 0, 3, 2)) == pytest.approx(1 / 3)


def test_boxes_side_by_side_share_nothing() -> None:
    assert iou(Box(0, 0, 2, 2), Box(2, 0, 4, 2)) == 0.0


def test_iou_of_no_boxes_has_no_rows() -> None:
    assert box_iou_batch(np.empty((0, 4)), [[0, 0, 1, 1]]).shape == (0, 1)


@given(boxes, boxes)
def test_iou_is_symmetric_and_at_most_one(first: Box, second: Box) -> None:
    forth, back = iou(first, second), iou(second, first)

    assert forth == pytest.approx(back)
    assert 0.0 <= forth <= 1.0 + 1e-9


@given(boxes)
def test_a_box_is_itself(box: Box) -> None:
    assert iou(box, box) == pytest.approx(1.0)


@given(boxes)
def test_a_clipped_box_lies_in_the_image(box: Box) -> None:
    clipped = clip_box(box, width_px=640, height_px=360)

    outside = box.x_max <= 0 or box.y_max <= 0 or box.x_min >= 640 or box.y_min >= 360
    assert (clipped is None) == outside
    if clipped is not None:
        assert 0 <= clipped.x_min < clipped.x_max <= 640
        assert 0 <= clipped.y_min < clipped.y_max <= 360
