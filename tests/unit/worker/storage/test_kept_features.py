"""Kept features: whole or not there, the longest unused go first, a full disk ends keeping and nothing else."""

from __future__ import annotations

import io
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.jobs import ClaimedItem
from worker.doctor.check_machine import check_kept_features
from worker.doctor.checks import CheckState
from worker.inference.load_image import HashedFile, ImageLoader, LoadedImage
from worker.storage import kept_features
from worker.storage.kept_features import ImageFeatures, KeptFeatures, KeptImage, forget_all, kept_folder, usage

KEY = "trunk"
SHAPES = ((2, 3, 4), (1, 2, 5))


def _features(seed: int = 1) -> ImageFeatures:
    random = np.random.default_rng(seed)
    return tuple(tuple(random.random(shape, dtype=np.float32) for shape in SHAPES) for _ in range(2))


def _image() -> KeptImage:
    return KeptImage(
        width_px=1280,
        height_px=720,
        captured_at="2024-05-06T07:08:09",
        note=None,
        thumbnail="00ff",
        letterbox=(288, 512, 0, 0),
        shapes=(SHAPES, SHAPES),
    )


def _sha256(number: int) -> str:
    return f"{number:064x}"


def _file(home: Path, number: int) -> Path:
    return next(kept_folder(home).rglob(_sha256(number)))


def test_what_is_kept_comes_back_bit_for_bit(tmp_path: Path) -> None:
    KeptFeatures(kept_folder(tmp_path), limit_mib=1).keep(KEY, _sha256(1), _image(), _features())

    found = KeptFeatures(kept_folder(tmp_path), limit_mib=1).find(KEY, _sha256(1))

    assert found is not None and found[0] == _image()
    for kept, given in zip(found[1], _features(), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(kept, given, strict=True))
    assert KeptFeatures(kept_folder(tmp_path), limit_mib=1).find("another trunk", _sha256(1)) is None


@pytest.mark.parametrize("place", [0, 6, 40, -1])
def test_a_damaged_file_is_removed_and_nothing_of_it_believed(tmp_path: Path, place: int) -> None:
    store = KeptFeatures(kept_folder(tmp_path), limit_mib=1)
    store.keep(KEY, _sha256(1), _image(), _features())
    file = _file(tmp_path, 1)
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)

    assert store.find(KEY, _sha256(1)) is None
    assert not file.exists()


def test_a_torn_file_is_removed(tmp_path: Path) -> None:
    store = KeptFeatures(kept_folder(tmp_path), limit_mib=1)
    for length in (0, 5, 100):
        store.keep(KEY, _sha256(1), _image(), _features())
        os.truncate(_file(tmp_path, 1), length)
        assert store.find(KEY, _sha256(1)) is None


def test_the_longest_unused_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_features, "_MEASURED_EVERY", 10**6)
    store = KeptFeatures(kept_folder(tmp_path), limit_mib=1)
    large = (tuple(np.zeros(shape, dtype=np.float32) for shape in ((64, 64, 16), (1, 1, 1))),)
    image = _image().model_copy(update={"shapes": (((64, 64, 16), (1, 1, 1)),)})
    for number in range(3):
        store.keep(KEY, _sha256(number), image, large)
        os.utime(_file(tmp_path, number), (number, number))
    assert store.find(KEY, _sha256(0)) is not None  # used now: no longer the first to go

    store.keep(KEY, _sha256(3), image, large)

    assert store.find(KEY, _sha256(1)) is None
    assert store.find(KEY, _sha256(0)) is not None
    assert store.find(KEY, _sha256(3)) is not None
    assert usage(tmp_path).mib <= 1.0


def test_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_features, "write_whole", full)
    store = KeptFeatures(kept_folder(tmp_path), limit_mib=1)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            store.keep(KEY, _sha256(number), _image(), _features())

    assert [record.message for record in caplog.records] == [
        f"{kept_folder(tmp_path)}: features are not kept any more (No space left on device)"
    ]


def test_doctor_tells_what_is_kept_and_what_is_left_of_before(tmp_path: Path) -> None:
    KeptFeatures(kept_folder(tmp_path), limit_mib=1).keep(KEY, _sha256(1), _image(), _features())

    assert check_kept_features(tmp_path, limit_mib=8).found == "of 1 images, 0 of 8 MiB"
    assert check_kept_features(tmp_path, limit_mib=0).verdict is CheckState.ODD
    assert forget_all(tmp_path).images == 1
    assert check_kept_features(tmp_path, limit_mib=0).verdict is CheckState.GOOD


@pytest.mark.parametrize("whole_crops", [True, False])
def test_an_image_by_its_features_is_the_decoded_one_but_for_pixels(tmp_path: Path, whole_crops: bool) -> None:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (91, 161, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((1281, 723)).save(buffer, "JPEG")
    file = tmp_path / "20240506-070809.jpg"
    file.write_bytes(buffer.getvalue())
    loader = ImageLoader(max_bytes=2**24, max_pixels=2**24, whole_crops=whole_crops)
    read = loader.read(ClaimedItem(1, 1, os.fsencode(file)), os.fsencode(tmp_path))
    assert isinstance(read, HashedFile)
    decoded = loader.decode(read, os.fsencode(tmp_path), input_hw=(288, 512))
    assert isinstance(decoded, LoadedImage)
    fitted = decoded.letterbox
    kept = _image().model_copy(
        update={
            "width_px": 1281,
            "height_px": 723,
            "captured_at": None,
            "thumbnail": (decoded.image.thumbnail or b"").hex(),
            "letterbox": (*fitted.fitted_hw, fitted.pad_x, fitted.pad_y),
        }
    )

    known = loader.from_kept(read, kept, _features(), (288, 512))

    assert (known.image, known.letterbox) == (decoded.image, decoded.letterbox)
    cut_from, wanted = loader.for_crops(known).decoded, loader.for_crops(decoded).decoded
    assert np.array_equal(cut_from.pixels, wanted.pixels)
    assert replace(cut_from, pixels=wanted.pixels) == wanted
