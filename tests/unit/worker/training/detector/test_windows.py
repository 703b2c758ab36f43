"""Windows of training images: boxes move exactly with what is shown, whatever the zoom."""

from __future__ import annotations

import numpy as np
import pytest

from worker.training.detector.windows import Window, draw_window, seen_boxes, show, whole_window

_HW = (288, 512)
_SIZE = {"width_px": 1280, "height_px": 720}


def _marked(box: tuple[int, int, int, int]) -> np.ndarray:
    """A black image with one white rectangle."""
    pixels = np.zeros((720, 1280, 3), dtype=np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    return pixels


@pytest.mark.parametrize("seed", range(12))
def test_what_a_window_shows_lies_where_its_boxes_say(seed: int) -> None:
    box = (600, 300, 800, 420)
    window = draw_window(np.random.default_rng(seed), [box], fish_px=85.0, size_hw=_HW, **_SIZE)

    pixels = show(_marked(box), window, **_SIZE)
    seen = seen_boxes([box], window)

    bright = np.argwhere(pixels[..., 0] > 190)
    shown = [bright[:, 1].min(), bright[:, 0].min(), bright[:, 1].max() + 1, bright[:, 0].max() + 1]
    assert shown == pytest.approx(seen.boxes[0].tolist(), abs=2.0)


def test_a_reduced_image_shows_the_same() -> None:
    box = (600, 300, 800, 420)
    window = draw_window(np.random.default_rng(3), [box], fish_px=85.0, size_hw=_HW, **_SIZE)

    whole = show(_marked(box), window, **_SIZE).astype(int)
    reduced = show(np.ascontiguousarray(_marked(box)[::2, ::2]), window, **_SIZE).astype(int)

    assert np.abs(whole - reduced).mean() < 1.0


@pytest.mark.parametrize(("fish_px", "wanted_px"), [(42.5, 68.0), (85.0, 68.0), (170.0, 68.0)])
def test_fish_of_every_camera_come_out_at_one_size(fish_px: float, wanted_px: float) -> None:
    side = fish_px * 2  # in a 1280 px wide original
    box = [400.0, 200.0, 400.0 + side, 200.0 + side]
    rng = np.random.default_rng(0)

    sizes = []
    for _ in range(200):
        window = draw_window(rng, [box], fish_px=fish_px, size_hw=_HW, **_SIZE)
        x_min, y_min, x_max, y_max = window.boxes([box])[0]
        sizes.append(np.sqrt((x_max - x_min) * (y_max - y_min)))

    assert np.median(sizes) == pytest.approx(wanted_px, rel=0.1)
    assert min(sizes) >= wanted_px * 0.69 and max(sizes) <= wanted_px * 1.41


def test_an_enlarged_image_is_mostly_shown_where_a_fish_is() -> None:
    box = [1000.0, 600.0, 1040.0, 640.0]
    rng = np.random.default_rng(0)

    shown = [
        len(seen_boxes([box], draw_window(rng, [box], fish_px=20.0, size_hw=_HW, **_SIZE)).boxes) for _ in range(100)
    ]

    assert np.mean(shown) > 0.75


def test_a_fish_that_is_mostly_cut_off_is_left_out() -> None:
    window = Window(_HW, scale=(1.0, 1.0), shift=(0.0, 0.0), mirrored=False)

    seen = seen_boxes([[-70, 0, 30, 50], [-50, 0, 50, 50], [600, 0, 700, 50]], window)

    assert seen.boxes.tolist() == [[0.0, 0.0, 50.0, 50.0]]
    assert seen.places.tolist() == [1]


def test_the_whole_window_is_what_serving_shows() -> None:
    window = whole_window(width_px=1000, height_px=1000, size_hw=_HW)

    assert window.boxes([[0, 0, 1000, 1000]]).tolist() == [[112.0, 0.0, 400.0, 288.0]]
