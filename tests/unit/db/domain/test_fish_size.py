"""The network's input by the camera's fish size."""

from __future__ import annotations

import pytest

from db.domain.boxes import Box
from db.domain.fish_size import (
    FishSize,
    FishSizeOrigin,
    fish_size_px,
    input_steps,
    smallest_fish_of_steps,
    step_for,
    typical_size_px,
)


@pytest.mark.parametrize("base_hw", [(288, 512), (360, 640), (192, 320)])
def test_every_step_is_made_of_whole_cells(base_hw: tuple[int, int]) -> None:
    for step in input_steps(base_hw):
        assert step.input_hw[0] % 32 == 0 and step.input_hw[1] % 32 == 0


@pytest.mark.parametrize(("fish_px", "zoom"), [(170, 0.5), (120, 0.7), (85, 1.0), (60, 1.42), (20, 2.0), (900, 0.5)])
def test_small_fish_get_a_large_input(fish_px: float, zoom: float) -> None:
    assert step_for(fish_px, (288, 512)).zoom == zoom


@pytest.mark.parametrize("fish_px", [20.0, 50.0, 60.0, 85.0, 110.0, 160.0, 300.0])
def test_the_table_of_sizes_says_the_same(fish_px: float) -> None:
    steps = input_steps((288, 512))

    by_table = next(step for step, least in zip(steps, smallest_fish_of_steps(), strict=True) if fish_px >= least)

    assert by_table == step_for(fish_px, (288, 512))


def test_a_size_does_not_depend_on_the_files_pixels() -> None:
    small = fish_size_px(Box(0, 0, 100, 49), width_px=1280, height_px=720)
    large = fish_size_px(Box(0, 0, 200, 98), width_px=2560, height_px=1440)

    assert small == pytest.approx(large)


def test_no_boxes_give_no_size() -> None:
    assert typical_size_px([]) is None


@pytest.mark.parametrize("fish_px", [0.0, -1.0, float("nan"), 900.0])
def test_a_size_that_fits_into_no_frame_is_refused(fish_px: float) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        FishSize(fish_px, FishSizeOrigin.PERSON)
