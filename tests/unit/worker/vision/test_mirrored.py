"""The mean of what is said of an image and of its mirror image."""

from __future__ import annotations

import numpy as np
import pytest

from worker.vision.mirrored import mean_with_mirrored, mirror


def _outputs(heat: list[list[float]], left: float, right: float) -> dict[str, np.ndarray]:
    """One image of 1 x 2 cells. heat: of each cell; every cell's fish reaches so far left and right, 8 up and down."""
    sides = np.tile(np.array([left, 8.0, right, 8.0], dtype=np.float32), (1, 1, 2, 1))
    return {
        "centres": np.log(np.array(heat) / (1.0 - np.array(heat))).astype(np.float32).reshape(1, 1, 2, 1),
        "ltrb_offsets": sides,
        "heatmap": np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2),
        "box": np.array([[0.0, 0.0, 8.0, 8.0]], dtype=np.float32),
        "box_species": np.array([[1.0, 0.0]], dtype=np.float32),
        "heatmap_species": np.array([[0.5, 0.5]], dtype=np.float32),
    }


def test_a_fish_seen_in_both_is_as_sure_and_one_seen_in_one_is_half_as_sure() -> None:
    plain = _outputs([[0.8, 0.2]], 10.0, 20.0)
    mirrored = _outputs([[0.001, 0.8]], 20.0, 10.0)  # its right cell is the plain image's left one

    found = mean_with_mirrored(plain, mirrored)

    heat = 1.0 / (1.0 + np.exp(-found["centres"][0, 0, :, 0]))
    assert heat == pytest.approx([0.8, (0.2 + 0.001) / 2], abs=1e-4)
    assert found["ltrb_offsets"][0, 0, 0].tolist() == [10.0, 8.0, 20.0, 8.0]


def test_an_image_and_its_mirror_image_are_told_the_same_places() -> None:
    plain, mirrored = _outputs([[0.8, 0.2]], 10.0, 20.0), _outputs([[0.3, 0.6]], 30.0, 5.0)

    one, other = mean_with_mirrored(plain, mirrored), mean_with_mirrored(mirrored, plain)

    assert one["centres"] == pytest.approx(other["centres"][:, :, ::-1], abs=1e-5)
    assert one["heatmap"].tolist() == other["heatmap"][:, :, ::-1].tolist()
    assert one["box_species"].tolist() == other["box_species"].tolist()


def test_mirroring_twice_gives_the_image() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)

    assert mirror(mirror(image)).tolist() == image.tolist()
    assert mirror(image)[0, 0, 0].tolist() == image[0, 0, 3].tolist()
