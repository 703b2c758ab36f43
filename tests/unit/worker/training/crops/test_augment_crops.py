"""Views of a crop: the plain one is what serving cuts; the others turn, mirror, misplace and recolour it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.domain.boxes import Box
from worker.training.crops.augment import (
    PLAIN,
    CropView,
    canvas_side,
    cut_canvas,
    draw_view,
    show_crop,
)
from worker.vision.crops import letterbox_crop, quarter_turns

SIDE, MARGIN = 96, 0.1
IMAGE_PX = (320, 180)
BOX = Box(120, 60, 200, 100)


def _image() -> np.ndarray:
    """A smooth image: red grows to the right, green downwards."""
    y, x = np.mgrid[0:180, 0:320]
    return np.stack([x * 255 // 320, y * 255 // 180, np.full_like(x, 90)], axis=2).astype(np.uint8)


def _show(view: CropView, box: Box = BOX) -> np.ndarray:
    canvas = cut_canvas(_image(), box, side_px=canvas_side(SIDE, margin=MARGIN))
    return show_crop(canvas, box, view, image_px=IMAGE_PX, margin=MARGIN, crop_px=SIDE)


@pytest.mark.parametrize(
    "box",
    [BOX, Box(0, 0, 60, 90), Box(250, 150, 320, 180), Box(10, 10, 15, 14)],
    ids=["inside", "left", "corner", "tiny"],
)
def test_the_plain_view_is_what_serving_cuts(box: Box) -> None:
    served = letterbox_crop(_image(), box, width_px=320, height_px=180, side_px=SIDE, margin=MARGIN)

    difference = np.abs(_show(PLAIN, box).astype(int) - served.astype(int))

    assert difference.mean() < 4.0  # a pixel more or less at the edge of the grey
    assert np.median(difference) <= 2.0


def test_a_mirrored_view_is_the_plain_one_from_the_other_side() -> None:
    mirrored = _show(dataclasses.replace(PLAIN, mirrored=True))

    assert np.abs(mirrored[:, ::-1].astype(int) - _show(PLAIN)).mean() < 1.0


def test_a_quarter_turn_as_a_view_is_the_quarter_turn_of_serving() -> None:
    turned = _show(dataclasses.replace(PLAIN, turn_deg=90.0))

    assert np.abs(turned.astype(int) - quarter_turns(_show(PLAIN)[None], 2)[1]).mean() < 1.0


def test_turns_of_several_crops_stay_together() -> None:
    crops = np.stack([np.full((4, 4, 3), number, dtype=np.uint8) for number in range(2)])

    assert quarter_turns(crops, 4)[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_grey_view_has_no_colours_and_gains_cast_one() -> None:
    grey, red = _show(dataclasses.replace(PLAIN, grey=True)), _show(dataclasses.replace(PLAIN, gains=(1.5, 1.0, 1.0)))

    assert (grey[..., 0] == grey[..., 1]).all()
    assert red[SIDE // 2, SIDE // 2, 0] > _show(PLAIN)[SIDE // 2, SIDE // 2, 0] + 20


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), x=st.floats(-20, 300), y=st.floats(-20, 170), width=st.floats(4, 300))
def test_any_view_of_any_box_is_a_whole_square(seed: int, x: float, y: float, width: float) -> None:
    box = Box(x, y, x + width, y + 0.6 * width)

    shown = _show(draw_view(np.random.default_rng(seed)), box)

    assert shown.shape == (SIDE, SIDE, 3)


def test_the_same_seed_draws_the_same_view() -> None:
    assert draw_view(np.random.default_rng(7)) == draw_view(np.random.default_rng(7))
    assert draw_view(np.random.default_rng(7)) != draw_view(np.random.default_rng(8))


def test_an_upright_fish_turned_counter_clockwise_has_its_head_on_the_left() -> None:
    image = np.full((180, 320, 3), 90, dtype=np.uint8)
    image[62:70, 150:170] = 255  # the head, at the upper end of an upright fish
    box = Box(140, 60, 180, 140)
    canvas = cut_canvas(image, box, side_px=canvas_side(SIDE, margin=MARGIN))
    shown = show_crop(
        canvas, box, dataclasses.replace(PLAIN, turn_deg=90.0), image_px=IMAGE_PX, margin=MARGIN, crop_px=SIDE
    )

    assert np.argwhere(shown[..., 0] > 200)[:, 1].mean() < SIDE / 3
