"""The sheet of a layer's channels: the image first, then the most varied maps, each stretched from black to white."""

from __future__ import annotations

import numpy as np
import pytest

from worker.report.channel_maps import MAX_MAPS, draw_channel_maps, stretched, varied_channels


def test_a_map_is_stretched_from_its_smallest_to_its_largest_value() -> None:
    assert stretched(np.array([[-1.0, 0.0, 1.0]], dtype=np.float32)).tolist() == [[0, 128, 255]]
    assert stretched(np.full((2, 2), 7.0, dtype=np.float32)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(("channels", "tiles"), [(3, 4), (7, 8), (200, MAX_MAPS + 1)])
def test_the_sheet_has_a_tile_a_channel_and_one_for_the_image(channels: int, tiles: int) -> None:
    maps = np.random.default_rng(0).random((4, 6, channels), dtype=np.float32)
    image = np.full((64, 96, 3), (200, 0, 0), dtype=np.uint8)

    sheet = np.asarray(draw_channel_maps(maps, image))

    columns, rows = min(8, tiles), -(-tiles // 8)
    assert sheet.shape == (rows * (107 + 12 + 4) + 4, columns * 164 + 4, 3)  # tiles of 160 x 107
    assert sheet[60, 80].tolist() == [200, 0, 0]


def test_a_map_lies_in_the_sheet_as_it_lies_in_the_layer() -> None:
    maps = np.zeros((2, 2, 1), dtype=np.float32)
    maps[0, 1] = 1.0  # upper right

    sheet = np.asarray(draw_channel_maps(maps, np.zeros((100, 160, 3), dtype=np.uint8)))

    tile = sheet[4 + 12 : 4 + 12 + 100, 168 : 168 + 160, 0]
    assert tile[20, 140] == 255 and tile[20, 20] == tile[80, 140] == 0


def test_the_channels_that_vary_most_are_chosen_and_stay_in_order() -> None:
    maps = np.zeros((2, 2, 4), dtype=np.float32)
    maps[0, 0] = [1.0, 9.0, 0.5, 3.0]

    assert varied_channels(maps, 2) == [1, 3]
