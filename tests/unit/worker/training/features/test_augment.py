"""Augmentation: boxes go exactly where the pixels go, whatever the look; a plain look changes nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.training.features.augment import (
    AugmentParameters,
    change_boxes,
    change_image,
    change_points,
    draw_look,
    visible_share,
)

SIZE_HW = (90, 160)

looks = st.builds(draw_look, st.integers(0, 2**32 - 1).map(np.random.default_rng))
geometry = looks.map(
    lambda look: AugmentParameters(mirrored=look.mirrored, turn_deg=look.turn_deg, zoom=look.zoom, shift=look.shift)
)
boxes = st.tuples(st.integers(40, 80), st.integers(25, 45), st.integers(14, 40), st.integers(14, 30)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def _white_box(box: tuple[int, int, int, int]) -> np.ndarray:
    pixels = np.zeros((*SIZE_HW, 3), dtype=np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    return pixels


@settings(deadline=None, max_examples=60)
@given(look=geometry, box=boxes)
def test_the_moved_box_is_the_extent_of_the_moved_pixels(
    look: AugmentParameters, box: tuple[int, int, int, int]
) -> None:
    wanted = change_boxes([box], look, size_hw=SIZE_HW)[0]

    # Ground from beyond the frame is grey 127: above it only the box is left. A pixel counts where most of it is white.
    rows, columns = np.nonzero(change_image(_white_box(box), look)[..., 0] > 127)

    inside = np.clip(wanted, 0, [SIZE_HW[1], SIZE_HW[0]] * 2)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    # A corner turned by up to 8 degrees comes to a point that covers less than half of its last pixels.
    assert found == pytest.approx(inside, abs=0.51 + 0.2 * abs(look.turn_deg) + 1.0)
    assert np.abs(np.array(found) - inside).mean() < 1.6


@settings(deadline=None, max_examples=60)
@given(look=geometry, box=boxes)
def test_the_middle_of_a_box_lands_on_the_middle_of_its_pixels(
    look: AugmentParameters, box: tuple[int, int, int, int]
) -> None:
    middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    wanted = change_points(middle, look, size_hw=SIZE_HW)

    share = np.clip(change_image(_white_box(box), look)[..., 0].astype(float) - 127, 0, None)

    if visible_share(change_boxes([box], look, size_hw=SIZE_HW), size_hw=SIZE_HW)[0] == 1.0:
        across = (share.sum(axis=0) * (np.arange(SIZE_HW[1]) + 0.5)).sum() / share.sum()
        down = (share.sum(axis=1) * (np.arange(SIZE_HW[0]) + 0.5)).sum() / share.sum()
        assert [across, down] == pytest.approx(wanted.tolist(), abs=0.35)


@settings(deadline=None)
@given(look=geometry, box=boxes, across=st.floats(0, 1), down=st.floats(0, 1))
def test_every_point_of_a_box_stays_in_its_box(
    look: AugmentParameters, box: tuple[int, int, int, int], across: float, down: float
) -> None:
    point = [box[0] + across * (box[2] - box[0]), box[1] + down * (box[3] - box[1])]

    x, y = change_points(point, look, size_hw=SIZE_HW)
    x_min, y_min, x_max, y_max = change_boxes([box], look, size_hw=SIZE_HW)[0]

    assert x_min - 1e-9 <= x <= x_max + 1e-9 and y_min - 1e-9 <= y <= y_max + 1e-9


@given(look=looks, box=boxes)
def test_a_box_mirrored_twice_is_itself(look: AugmentParameters, box: tuple[int, int, int, int]) -> None:
    mirror = AugmentParameters(mirrored=True)

    twice = change_boxes(change_boxes([box], mirror, size_hw=SIZE_HW), mirror, size_hw=SIZE_HW)

    assert twice[0] == pytest.approx(box)


def test_a_plain_look_changes_no_pixel_and_a_mirror_turns_each_row_round() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*SIZE_HW, 3), dtype=np.uint8)

    assert np.array_equal(change_image(pixels, AugmentParameters()), pixels)
    assert np.array_equal(change_image(pixels, AugmentParameters(mirrored=True)), pixels[:, ::-1])


def test_light_and_colour_move_no_box() -> None:
    look = draw_look(np.random.default_rng(3))
    still = dataclasses.replace(look, mirrored=False, turn_deg=0.0, zoom=1.0, shift=(0.0, 0.0))

    assert change_boxes([[10, 20, 30, 40]], still, size_hw=SIZE_HW).tolist() == [[10.0, 20.0, 30.0, 40.0]]


@pytest.mark.parametrize(
    ("look", "found"),
    [
        pytest.param(AugmentParameters(light=0.5), (100, 50, 25), id="half the light"),
        pytest.param(AugmentParameters(gain=(1.0, 2.0, 1.0)), (200, 200, 50), id="green lamps"),
        pytest.param(AugmentParameters(grey=1.0), (117, 117, 117), id="monochrome"),  # (200 + 100 + 50) / 3, rounded
    ],
)
def test_light_and_colour_do_to_a_plain_image_what_they_say(
    look: AugmentParameters, found: tuple[int, int, int]
) -> None:
    pixels = np.tile(np.array([200, 100, 50], dtype=np.uint8), (8, 8, 1))

    assert change_image(pixels, look)[4, 4].tolist() == list(found)


def test_blur_and_jpeg_keep_the_shape_and_cost_detail() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*SIZE_HW, 3), dtype=np.uint8)

    for look in (AugmentParameters(blur_px=1.5), AugmentParameters(jpeg_quality=25)):
        changed = change_image(pixels, look)
        assert changed.shape == pixels.shape and changed.dtype == np.uint8
        assert np.abs(np.diff(changed.astype(int), axis=1)).mean() < np.abs(np.diff(pixels.astype(int), axis=1)).mean()


def test_the_same_generator_draws_the_same_look() -> None:
    assert draw_look(np.random.default_rng(7)) == draw_look(np.random.default_rng(7))
    assert draw_look(np.random.default_rng(7)) != draw_look(np.random.default_rng(8))
