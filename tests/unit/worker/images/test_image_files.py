"""A file gives an image or a reason, whatever is in it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.hostile.images import bytes_of, gradient
from worker.images.decode import decode_image
from worker.images.errors import UnreadableImage, UnreadableReason
from worker.images.read import read_image_file


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_each_allowed_format_gives_its_image(image_format: str) -> None:
    image = decode_image(bytes_of(gradient(), image_format))

    assert image.pixels.shape == (40, 80, 3)
    assert (image.width_px, image.height_px) == (80, 40)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK", "YCbCr"])
def test_each_colour_mode_becomes_rgb(mode: str) -> None:
    image_format = "PNG" if mode in {"L", "LA", "RGBA", "P", "1"} else "TIFF"

    assert decode_image(bytes_of(gradient(mode), image_format)).pixels.shape == (40, 80, 3)


def test_sixteen_bit_grey_becomes_its_high_byte() -> None:
    grey = np.full((4, 4), 0x8000, dtype=np.uint16)

    assert decode_image(bytes_of(Image.fromarray(grey), "PNG")).pixels[0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_upright(orientation: int) -> None:
    # The stored image's first corner is white; upright it lies where the orientation says.
    stored = Image.new("RGB", (64, 32))
    stored.paste((255, 255, 255), (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}[
        orientation
    ]

    image = decode_image(bytes_of(stored, "PNG", exif=exif))

    assert (image.width_px, image.height_px) == ((64, 32) if orientation < 5 else (32, 64))
    assert image.pixels[corner].tolist() == [255, 255, 255]


def test_a_jpeg_comes_reduced_but_never_below_what_was_asked() -> None:
    image = decode_image(bytes_of(gradient(size=(1280, 720)), "JPEG"), at_least_hw=(360, 640))

    assert image.pixels.shape == (360, 640, 3)
    assert (image.width_px, image.height_px) == (1280, 720)


def test_transparent_pixels_lie_on_black() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))

    assert decode_image(bytes_of(clear, "PNG")).pixels.max() == 0


def test_capture_time_comes_from_exif() -> None:
    exif = Image.Exif()
    exif[0x0132] = "2024:03:05 06:07:08"

    assert decode_image(bytes_of(gradient(), "JPEG", exif=exif)).captured_at == "2024-03-05T06:07:08"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"not an image", UnreadableReason.NOT_AN_IMAGE, id="text"),
        pytest.param(b"GIF89a" + bytes(50), UnreadableReason.NOT_AN_IMAGE, id="format not allowed"),
        pytest.param(bytes_of(gradient(), "JPEG")[:300], UnreadableReason.NOT_AN_IMAGE, id="header cut"),
        pytest.param(bytes_of(gradient(size=(640, 480)), "JPEG")[:-1500], UnreadableReason.BROKEN, id="end cut"),
        pytest.param(bytes_of(gradient(size=(640, 480)), "PNG")[:-500], UnreadableReason.BROKEN, id="png cut"),
    ],
)
def test_broken_bytes_give_a_reason(content: bytes, reason: UnreadableReason) -> None:
    with pytest.raises(UnreadableImage) as raised:
        decode_image(content)

    assert raised.value.reason in {reason, UnreadableReason.BROKEN}
    assert "\n" not in str(raised.value)


def test_a_image_of_too_many_pixels_is_not_decoded() -> None:
    with pytest.raises(UnreadableImage) as raised:
        decode_image(bytes_of(gradient(), "PNG"), max_pixels=3199)

    assert raised.value.reason is UnreadableReason.TOO_MANY_PIXELS


def test_only_regular_files_below_the_root_are_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (root / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "gone.jpg").symlink_to(root / "nowhere.jpg")
    (root / "empty.jpg").touch()
    (root / "folder.jpg").mkdir()
    os.mkfifo(root / "pipe.jpg")
    found = {}

    for name in ["out", "gone", "empty", "folder", "pipe"]:
        with pytest.raises(UnreadableImage) as raised:
            read_image_file(os.fsencode(root / f"{name}.jpg"), root=os.fsencode(root))
        found[name] = raised.value.reason

    assert found == {
        "out": UnreadableReason.OUTSIDE_ROOT,
        "gone": UnreadableReason.MISSING,
        "empty": UnreadableReason.EMPTY,
        "folder": UnreadableReason.NOT_REGULAR,
        "pipe": UnreadableReason.NOT_REGULAR,
    }


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell where an open file lies")
def test_a_folder_that_becomes_a_link_between_the_judging_and_the_opening_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("root/boat", "secret"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "0001.jpg").write_bytes(b"x")
    opens = os.open

    def open_after_the_swap(*args: object, **kwargs: object) -> int:
        (tmp_path / "root" / "boat").rename(tmp_path / "away")
        (tmp_path / "root" / "boat").symlink_to(tmp_path / "secret")
        return opens(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", open_after_the_swap)

    with pytest.raises(UnreadableImage) as raised:
        read_image_file(os.fsencode(tmp_path / "root/boat/0001.jpg"), root=os.fsencode(tmp_path / "root"))
    assert raised.value.reason is UnreadableReason.OUTSIDE_ROOT


def test_names_that_are_not_utf8_are_read(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/fish\xff\n.jpg"
    Path(os.fsdecode(path)).write_bytes(b"bytes")

    assert read_image_file(path).content == b"bytes"
