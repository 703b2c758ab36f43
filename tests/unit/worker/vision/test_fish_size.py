"""The network's input by the camera's fish size."""

from __future__ import annotations

import pytest

from worker.vision.fish_size import fish_sizes_px, input_steps, step_for, typical_size_px


@pytest.mark.parametrize("base_hw", [(288, 512), (360, 640), (192, 320)])
def test_every_step_is_made_of_whole_cells(base_hw: tuple[int, int]) -> None:
    for step in input_steps(base_hw):
        assert step.input_hw[0] % 32 == 0 and step.input_hw[1] % 32 == 0


@pytest.mark.parametrize(("fish_px", "zoom"), [(170, 0.5), (120, 0.7), (85, 1.0), (60, 1.42), (20, 2.0), (900, 0.5)])
def test_small_fish_get_a_large_input(fish_px: float, zoom: float) -> None:
    assert step_for(fish_px, (288, 512)).zoom == zoom


def test_a_size_does_not_depend_on_the_files_pixels() -> None:
    small = fish_sizes_px([[0, 0, 100, 49]], width_px=1280, height_px=720)
    large = fish_sizes_px([[0, 0, 200, 98]], width_px=2560, height_px=1440)

    assert small.tolist() == pytest.approx(large.tolist())


def test_no_boxes_give_no_size() -> None:
    assert typical_size_px(fish_sizes_px([], width_px=1280, height_px=720)) is None
