"""Pixels mean one thing, whatever a file calls them: its turn, its bits, its missing end, its raw twin."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image

from tests.hostile.images import bytes_of, gradient
from worker.images.capture_time import capture_time
from worker.images.decode import decode_image, measure_image
from worker.images.eight_bits import grey_to_eight_bits
from worker.images.errors import UnreadableImage, UnreadableReason
from worker.images.formats import readable_formats

END_MARK = b"\xff\xd9"
START_OF_SCAN = b"\xff\xda"


def _stored_with_white_corner(image_format: str, orientation: int) -> bytes:
    stored = Image.new("RGB", (64, 32))
    stored.paste((255, 255, 255), (0, 0, 16, 16))
    if image_format == "TIFF":
        return bytes_of(stored, "TIFF", tiffinfo={274: orientation})
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return bytes_of(stored, image_format, exif=exif, quality=100)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["TIFF", "JPEG", "WEBP", "AVIF"])
def test_every_format_comes_upright_with_its_size(image_format: str, orientation: int) -> None:
    corners = {1: (2, 2), 2: (2, -3), 3: (-3, -3), 4: (-3, 2), 5: (2, 2), 6: (2, -3), 7: (-3, -3), 8: (-3, 2)}
    content = _stored_with_white_corner(image_format, orientation)

    image, size = decode_image(content), measure_image(content)

    wanted = (64, 32) if orientation < 5 else (32, 64)
    assert (image.width_px, image.height_px) == (size.width_px, size.height_px) == image.pixels.shape[1::-1] == wanted
    assert image.pixels[corners[orientation]].min() > 200
    assert image.pixels.mean() < 80


@pytest.mark.parametrize(("bits", "white"), [(10, 1023), (12, 4095), (14, 16383), (16, 65535)])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_greys_are_scaled_by_the_bits_in_use(image_format: str, bits: int, white: int) -> None:
    grey = np.array([[0, white // 2, white]], dtype=np.uint16)

    found = decode_image(bytes_of(Image.fromarray(grey), image_format)).pixels

    assert found[0, :, 0].tolist() == [0, 127, 255]


def test_a_tiff_that_says_its_largest_value_is_scaled_by_it_in_the_dark_too() -> None:
    grey = Image.fromarray(np.array([[0, 512]], dtype=np.uint16))

    found = decode_image(bytes_of(grey, "TIFF", tiffinfo={281: 4095})).pixels

    assert found[0, :, 0].tolist() == [0, 32]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        pytest.param([0.0, 0.5, 1.0], [0, 128, 255], id="shares"),
        pytest.param([0.0, 100.0, 200.0], [0, 100, 200], id="eight bits"),
        pytest.param([float("nan"), -5.0, 4095.0], [0, 0, 255], id="twelve bits"),
    ],
)
def test_floats_are_shares_or_values(values: list[float], wanted: list[int]) -> None:
    assert grey_to_eight_bits(np.array([values])).tolist() == [wanted]


@pytest.mark.parametrize("bits", [12, 16])
def test_colours_of_sixteen_bits_are_scaled_by_the_bits_in_use(bits: int) -> None:
    colours = np.array([[[0, 2 ** (bits - 1), 2**bits - 1], [2**bits - 1, 0, 0]]], dtype=np.uint16)

    found = decode_image(_png_of_sixteen_bits(colours)).pixels

    assert found.tolist() == [[[0, 128, 255], [255, 0, 0]]]


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
@pytest.mark.parametrize("missing_bytes", [1, 2])
def test_a_jpeg_without_its_end_mark_is_used_with_a_note(missing_bytes: int, progressive: bool) -> None:
    content = bytes_of(gradient(size=(640, 360)), "JPEG", progressive=progressive)
    assert content.endswith(END_MARK)

    image = decode_image(content[:-missing_bytes])

    assert image.note == "it lacks its end mark"
    assert np.array_equal(image.pixels, decode_image(content).pixels)


def test_a_jpeg_that_lacks_a_sliver_of_its_rows_is_used_with_a_note() -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (360, 640, 3), dtype=np.uint8))
    content = bytes_of(noise, "JPEG")

    image = decode_image(content[: int(len(content) * 0.98)])

    whole = decode_image(content)
    assert whole.note is None
    assert image.note is not None and "rows are missing" in image.note
    assert np.array_equal(image.pixels[:330], whole.pixels[:330])


def test_a_jpeg_that_lacks_more_is_broken() -> None:
    rng = np.random.default_rng(0)
    content = bytes_of(Image.fromarray(rng.integers(0, 255, (360, 640, 3), dtype=np.uint8)), "JPEG")

    with pytest.raises(UnreadableImage) as raised:
        decode_image(content[: len(content) * 3 // 4])

    assert raised.value.reason is UnreadableReason.BROKEN


def test_a_progressive_jpeg_that_lacks_a_fiftieth_of_its_bytes_is_used_with_a_note() -> None:
    rng = np.random.default_rng(0)
    content = bytes_of(Image.fromarray(rng.integers(0, 255, (360, 640, 3), dtype=np.uint8)), "JPEG", progressive=True)

    image = decode_image(content[: len(content) * 49 // 50])

    whole = decode_image(content).pixels
    assert image.note is not None and image.note.endswith("rows are coarser")
    assert np.array_equal(image.pixels[:320], whole[:320])


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_progressive_jpeg_that_lacks_more_is_broken_wherever_it_is_cut(kept: float) -> None:
    rng = np.random.default_rng(0)
    content = bytes_of(Image.fromarray(rng.integers(0, 255, (360, 640, 3), dtype=np.uint8)), "JPEG", progressive=True)

    with pytest.raises(UnreadableImage) as raised:
        decode_image(content[: int(len(content) * kept)])

    assert raised.value.reason is UnreadableReason.BROKEN


def test_a_progressive_jpeg_without_its_last_scan_is_broken() -> None:
    """It shows every row, but none as it was taken."""
    content = bytes_of(gradient(size=(640, 360)), "JPEG", progressive=True)

    with pytest.raises(UnreadableImage):
        decode_image(content[: content.rindex(START_OF_SCAN)])


@pytest.mark.parametrize("tags", [{50706: b"\x01\x04\x00\x00"}, {254: 1}], ids=["DNG", "a reduced image"])
def test_the_thumbnail_of_a_raw_file_is_no_image(tags: dict[int, object]) -> None:
    content = bytes_of(gradient(), "TIFF", tiffinfo=tags)

    for read in (decode_image, measure_image):
        with pytest.raises(UnreadableImage, match="a raw file") as raised:
            read(content)
        assert raised.value.reason is UnreadableReason.NOT_AN_IMAGE


def test_what_pillow_logs_of_a_broken_file_is_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    samples_per_pixel = struct.pack("<HHI", 277, 3, 1)
    head, _, rest = bytes_of(gradient(), "TIFF").partition(samples_per_pixel)
    content = head + samples_per_pixel + struct.pack("<H", 31491) + rest[2:]

    for read in (decode_image, measure_image):
        with suppress(UnreadableImage):
            read(content)

    assert capsys.readouterr().err == ""


def test_a_bmp_without_its_file_header_is_read() -> None:
    assert decode_image(bytes_of(gradient(), "DIB")).pixels.shape == (40, 80, 3)


def test_heic_is_read_where_its_plug_in_is_installed() -> None:
    pytest.importorskip("pillow_heif")
    assert "HEIF" in readable_formats()

    assert decode_image(bytes_of(gradient(), "HEIF")).pixels.shape == (40, 80, 3)


@pytest.mark.parametrize(
    "written",
    [
        *("2021:02:30 10:00:00", "2021:13:45 99:99:99", "2021:01:01 24:04:20", "12021:03:04 05:06:07"),
        *("2021:00:00 00:00:00", "2021:02:03 04:05:06.7.8.9 and more than any clock writes"),
    ],
)
def test_a_time_that_does_not_exist_is_none_with_a_note(written: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = written

    size = measure_image(bytes_of(gradient(), "JPEG", exif=exif))

    assert size.captured_at is None and size.note == f"its clock says {written[:40]!r}, which is no time"


@pytest.mark.parametrize("written", ["0000:00:00 00:00:00", "    :  :     :  :  ", ""])
def test_a_clock_that_was_never_set_says_nothing(written: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = written

    assert capture_time(exif) == (None, None)


def _png_of_sixteen_bits(colours: npt.NDArray[np.uint16]) -> bytes:
    rows, columns, _ = colours.shape
    raw = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in colours)
    file = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    file.seek(0, io.SEEK_END)
    head = struct.pack(">IIBBBBB", columns, rows, 16, 2, 0, 0, 0)
    for kind, chunk in ((b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")):
        file.write(struct.pack(">I", len(chunk)) + kind + chunk + struct.pack(">I", zlib.crc32(kind + chunk)))
    return file.getvalue()
