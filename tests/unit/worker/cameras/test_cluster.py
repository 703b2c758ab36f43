"""Cameras by their still background: one camera stays together by day and night, two cameras stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.factories import write_images
from worker.cameras.cluster import adjusted_rand_index, cluster_views, find_views
from worker.cameras.views import CameraView, read_view, shrink
from worker.sample_fleet.write import write_sample_fleet


def _deck(seed: int) -> np.ndarray:
    """A still view of its own: random bars and boards, 90 x 160."""
    rng = np.random.default_rng(seed)
    pixels = np.full((90, 160, 3), rng.integers(60, 200, 3), dtype=np.uint8)
    for _ in range(25):
        y, x = rng.integers(0, 80), rng.integers(0, 150)
        pixels[y : y + rng.integers(3, 25), x : x + rng.integers(3, 25)] = rng.integers(0, 256, 3)
    return pixels


def _views(deck: np.ndarray, count: int, *, seed: int, size: tuple[int, int] = (160, 90)) -> list[CameraView]:
    """Images of a deck: someone stands in it, and the light differs."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        pixels = deck.copy()
        y, x = rng.integers(0, 60), rng.integers(0, 130)
        pixels[y : y + 40, x : x + 30] = rng.integers(0, 256, 3)
        lit = (pixels * rng.uniform(0.15, 1.2)).clip(0, 255).astype(np.uint8)
        found.append(CameraView(f"{seed}-{number}", *size, shrink(lit)))
    return found


def _found(views: Sequence[CameraView]) -> list[int]:
    return cluster_views(views).tolist()


def test_images_of_one_view_are_one_camera_in_any_light() -> None:
    assert set(_found(_views(_deck(1), 12, seed=1))) == {0}


def test_two_views_of_one_image_size_are_two_cameras_and_the_larger_comes_first() -> None:
    views = _views(_deck(1), 5, seed=1) + _views(_deck(2), 9, seed=2)

    assert _found(views) == [1] * 5 + [0] * 9


def test_the_same_view_at_another_image_size_is_the_same_camera_unless_its_shape_differs() -> None:
    deck = _deck(3)
    small, large = _views(deck, 8, seed=1), _views(deck, 8, seed=2, size=(320, 180))
    squeezed = _views(deck, 8, seed=2, size=(160, 120))

    assert len(set(_found(small + large))) == 1
    assert len(set(_found(small + squeezed))) == 2


def test_a_view_that_was_mostly_rebuilt_may_be_the_same_camera_and_another_one_is_not() -> None:
    deck, other = _deck(1), _deck(2)
    moved = deck.copy()
    moved[:, :122] = other[:, :122]  # three quarters of the view were rebuilt
    views = _views(deck, 20, seed=1) + _views(moved, 12, seed=2) + _views(_deck(9), 12, seed=3)

    found = find_views(views)

    assert len(set(found.labels.tolist())) == 3
    assert found.may_be == {int(found.labels[20]): 0}


def test_images_that_share_nothing_are_each_a_camera_of_their_own() -> None:
    views = [_views(_deck(seed), 1, seed=seed)[0] for seed in range(8)]

    assert len(set(_found(views))) == 8


def test_no_images_are_no_cameras_and_a_black_image_is_one() -> None:
    assert _found([]) == []
    assert _found([CameraView("black", 160, 90, np.zeros((54, 96), dtype=np.uint8))]) == [0]


def test_more_images_than_are_linked_at_once_join_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.cameras.cluster.LINKED_AT_ONCE", 10)
    views = _views(_deck(1), 30, seed=1) + _views(_deck(2), 20, seed=2)

    assert _found(views) == [0] * 30 + [1] * 20


def test_the_cameras_of_a_drawn_fleet_are_found_without_their_folders(tmp_path: Path) -> None:
    write_sample_fleet(tmp_path / "fleet", images=60, cameras=6, seed=3, scale=0.25, processes=1)
    files = sorted((tmp_path / "fleet" / "images").rglob("*.jpg"))

    found = _found([read_view(str(file).encode()) for file in files])

    assert adjusted_rand_index([file.parent.name for file in files], found) > 0.95


def test_a_serial_number_in_the_metadata_names_the_camera_and_a_model_alone_does_not(tmp_path: Path) -> None:
    (plain,) = write_images(tmp_path, 1)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Acme", "Deck 7"
    Image.open(plain).save(tmp_path / "model.jpg", exif=exif)
    exif.get_ifd(0x8769)[0xA431] = "A-0042"
    Image.open(plain).save(tmp_path / "serial.jpg", exif=exif)

    serials = [read_view(str(tmp_path / name).encode()).serial for name in (plain.name, "model.jpg", "serial.jpg")]

    assert serials == [None, None, "Acme Deck 7 A-0042"]
