"""An image of any shape fits the network's input, and boxes find their way back."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.vision.letterbox import BORDER_GREY, fit_letterbox, letterbox_image


@settings(deadline=None)
@given(
    width_px=st.integers(1, 5000),
    height_px=st.integers(1, 5000),
    corners=st.lists(st.floats(0, 5000), min_size=4, max_size=4),
)
def test_boxes_come_back_where_they_were(width_px: int, height_px: int, corners: list[float]) -> None:
    letterbox = fit_letterbox(width_px=width_px, height_px=height_px, into_hw=(360, 640))

    assert np.allclose(letterbox.to_original(letterbox.to_input([corners])), [corners], atol=1e-6)


def test_a_tall_image_has_grey_borders_left_and_right() -> None:
    # 100x200 into 50x100 rows x columns: scale 1/4, so 25 columns from (100 - 25) // 2 = 37.
    canvas, letterbox = letterbox_image(np.zeros((200, 100, 3), np.uint8), into_hw=(50, 100))

    assert (letterbox.pad_x, letterbox.pad_y, letterbox.fitted_hw) == (37, 0, (50, 25))
    assert (
        np.all(canvas[:, :37] == BORDER_GREY)
        and np.all(canvas[:, 37:62] == 0)
        and np.all(canvas[:, 62:] == BORDER_GREY)
    )


def test_heat_map_cells_map_to_original_pixels() -> None:
    letterbox = fit_letterbox(width_px=1280, height_px=720, into_hw=(360, 640))

    assert np.allclose(letterbox.grid_to_original([[0, 0, 40, 23]], grid_hw=(23, 40)), [[0, 0, 1280, 720]])
    assert np.allclose(letterbox.grid_frame((23, 40)), (0, 0, 40, 23))
