"""An image for the network is decoded reduced; the whole one is decoded when crops are cut, and not before."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.jobs import ClaimedItem
from worker.images.decode import decode_image
from worker.inference import load_image
from worker.inference.load_image import HashedFile, ImageLoader, LoadedImage

INPUT_HW = (288, 512)


def _file(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    file = tmp_path / "deck.jpg"
    Image.fromarray(pixels).resize((1280, 720)).save(file, quality=80)
    return file


def _loaded(file: Path, *, whole_crops: bool) -> tuple[ImageLoader, LoadedImage]:
    loader = ImageLoader(max_bytes=2**24, max_pixels=2**24, whole_crops=whole_crops)
    item = ClaimedItem(1, 1, os.fsencode(file))
    read = loader.read(item, os.fsencode(file.parent))
    assert isinstance(read, HashedFile)
    loaded = loader.decode(read, os.fsencode(file.parent), input_hw=INPUT_HW)
    assert isinstance(loaded, LoadedImage)
    return loader, loaded


def test_the_whole_original_is_decoded_for_crops_only(tmp_path: Path) -> None:
    file = _file(tmp_path)

    loader, loaded = _loaded(file, whole_crops=True)
    cut_from = loader.for_crops(loaded)

    assert loaded.decoded.pixels.shape == (360, 640, 3)
    assert np.array_equal(cut_from.decoded.pixels, decode_image(file.read_bytes()).pixels)
    assert np.array_equal(cut_from.canvas, loaded.canvas)
    assert loader.for_crops(cut_from) is cut_from


def test_without_a_second_stage_crops_are_cut_from_what_the_network_saw(tmp_path: Path) -> None:
    loader, loaded = _loaded(_file(tmp_path), whole_crops=False)

    assert loader.for_crops(loaded) is loaded


def test_bytes_that_are_too_many_to_wait_are_decoded_whole_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_image, "_KEPT_BYTES", 100)

    _, loaded = _loaded(_file(tmp_path), whole_crops=True)

    assert loaded.whole is None
    assert loaded.decoded.pixels.shape == (720, 1280, 3)


def test_a_grey_jpeg_gives_three_equal_channels() -> None:
    held = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(held, "JPEG")

    pixels = decode_image(held.getvalue()).pixels

    assert pixels.shape == (16, 16, 3)
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
