"""Where and with which camera an image was taken: what EXIF says, and nothing where it says nonsense."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from db.domain.taken_with import UNTOLD, TakenWith
from tests.hostile.images import bytes_of
from worker.images.decode import decode_image, measure_image

GPS = ExifTags.GPS
REUNION = {
    GPS.GPSLatitudeRef: "S",
    GPS.GPSLatitude: (21.0, 30.0, 0.0),
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (55.0, 15.0, 36.0),
}


def _jpeg(
    place: dict[int, Any] | None = None, head: dict[int, Any] | None = None, inner: dict[int, Any] | None = None
) -> bytes:
    exif = Image.Exif()
    for tag, value in (head or {}).items():
        exif[tag] = value
    exif.get_ifd(ExifTags.IFD.Exif).update(inner or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(place or {})
    return bytes_of(Image.new("RGB", (32, 16)), "JPEG", exif=exif)


def test_a_position_is_degrees_south_and_west_negative() -> None:
    west = {**REUNION, GPS.GPSLatitudeRef: "N", GPS.GPSLongitudeRef: "W"}

    assert measure_image(_jpeg(REUNION)).taken_with.position == (-21.5, 55.26)
    assert decode_image(_jpeg(west)).taken_with.position == (21.5, -55.26)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({GPS.GPSLatitude: (91.0, 0.0, 0.0)}, id="beyond the pole"),
        pytest.param({GPS.GPSLongitude: (180.0, 0.0, 1.0)}, id="beyond the meridian"),
        pytest.param({GPS.GPSLatitude: (21.0, 60.0, 0.0)}, id="sixty minutes"),
        pytest.param({GPS.GPSLatitude: (IFDRational(0, 0), 0.0, 0.0)}, id="no number"),
        pytest.param({GPS.GPSLatitude: (21.0, 30.0)}, id="no seconds"),
        pytest.param({GPS.GPSLatitudeRef: None}, id="no hemisphere"),
        pytest.param({GPS.GPSLatitudeRef: "E"}, id="wrong hemisphere"),
        pytest.param({GPS.GPSLongitude: None, GPS.GPSLongitudeRef: None}, id="no longitude"),
    ],
)
def test_a_position_that_is_none_is_left_out_with_a_note(change: dict[int, Any]) -> None:
    place = {tag: value for tag, value in {**REUNION, **change}.items() if value is not None}

    size = measure_image(_jpeg(place))

    assert size.taken_with.position is None
    assert size.note is not None and size.note.startswith("its position is none on Earth (")


@pytest.mark.parametrize(
    "place",
    [
        pytest.param({}, id="nothing"),
        pytest.param({**REUNION, GPS.GPSStatus: "V"}, id="no fix, said"),
        pytest.param({**REUNION, GPS.GPSLatitude: (0.0, 0.0, 0.0), GPS.GPSLongitude: (0.0, 0.0, 0.0)}, id="zeros"),
    ],
)
def test_a_receiver_without_a_fix_says_nothing_and_needs_no_note(place: dict[int, Any]) -> None:
    size = measure_image(_jpeg(place))

    assert (size.taken_with, size.note) == (UNTOLD, None)


@pytest.mark.parametrize(
    ("head", "inner", "wanted"),
    [
        ({271: "Bushnell", 272: "119876"}, {0xA431: "B0042"}, TakenWith(None, None, "Bushnell 119876", "B0042")),
        ({271: "Canon", 272: "Canon EOS R"}, {}, TakenWith(camera_model="Canon EOS R")),
        ({271: "  \x00", 272: "\x1b[31mX"}, {0xA431: " \n "}, TakenWith(camera_model="[31mX")),
        ({272: "x" * 500}, {0xA431: "9" * 500}, TakenWith(None, None, "x" * 64, "9" * 64)),
        ({}, {0xA431: 42}, UNTOLD),
    ],
)
def test_model_and_serial_number_are_texts_that_can_be_shown(
    head: dict[int, Any], inner: dict[int, Any], wanted: TakenWith
) -> None:
    assert measure_image(_jpeg(head=head, inner=inner)).taken_with == wanted
