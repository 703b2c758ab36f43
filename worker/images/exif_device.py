"""Where an image was taken and with which camera, as EXIF says; what makes no sense is none, with a note."""

from __future__ import annotations

import math
from collections.abc import Mapping

from PIL import ExifTags, Image

from db.domain.taken_with import UNTOLD, TakenWith

_LONGEST = 64
_VOID = "V"  # the receiver's own word for "no fix"


def taken_with(exif: Image.Exif) -> tuple[TakenWith, str | None]:
    """Return place and camera, and a note where a position is written that is none.

    A receiver that has no fix writes zeros or says so: that is no position, and needs no note.
    Source: EXIF 2.32, sections 4.6.4 to 4.6.6.
    """
    try:
        head, inner = dict(exif), dict(exif.get_ifd(ExifTags.IFD.Exif))
        place = dict(exif.get_ifd(ExifTags.IFD.GPSInfo))
    except Exception:  # broken metadata must not cost a good image
        return UNTOLD, None
    position, note = _position(place)
    latitude_deg, longitude_deg = position or (None, None)
    return TakenWith(latitude_deg, longitude_deg, _model(head), _serial(head, inner)), note


def _position(place: Mapping[int, object]) -> tuple[tuple[float, float] | None, str | None]:
    gps = ExifTags.GPS
    written = [place.get(tag) for tag in (gps.GPSLatitude, gps.GPSLongitude)]
    if not any(written) or _text(place.get(gps.GPSStatus)) == _VOID:
        return None, None
    latitude = _degrees(written[0], place.get(gps.GPSLatitudeRef), "NS", 90.0)
    longitude = _degrees(written[1], place.get(gps.GPSLongitudeRef), "EW", 180.0)
    if latitude is None or longitude is None:
        shown = " ".join(_text(place.get(tag)) or "?" for tag in (*_REFERENCES,))
        return None, f"its position is none on Earth ({_shown(written[0])}, {_shown(written[1])}, {shown})"
    return (None, None) if latitude == longitude == 0.0 else ((latitude, longitude), None)


_REFERENCES = (ExifTags.GPS.GPSLatitudeRef, ExifTags.GPS.GPSLongitudeRef)


def _degrees(written: object, reference: object, signs: str, most: float) -> float | None:
    """Return degrees from degrees, minutes and seconds, positive by the first sign; None where they are none."""
    side = _text(reference).upper()
    if not isinstance(written, tuple | list) or len(written) != 3 or len(side) != 1 or side not in signs:
        return None
    try:
        degrees, minutes, seconds = (float(part) for part in written)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    found = degrees + minutes / 60.0 + seconds / 3600.0
    if not (math.isfinite(found) and 0.0 <= found <= most and 0.0 <= minutes < 60.0 and 0.0 <= seconds < 60.0):
        return None
    return round(found if side == signs[0] else -found, 7)


def _model(head: Mapping[int, object]) -> str | None:
    make, model = _text(head.get(ExifTags.Base.Make)), _text(head.get(ExifTags.Base.Model))
    # Many makers write their name into the model, too.
    both = model if make and model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    return both[:_LONGEST] or None


def _serial(head: Mapping[int, object], inner: Mapping[int, object]) -> str | None:
    told = inner.get(ExifTags.Base.BodySerialNumber) or head.get(ExifTags.Base.CameraSerialNumber)
    return _text(told)[:_LONGEST] or None


def _text(written: object) -> str:
    """Return what of a tag can be shown, "" where it is no text."""
    if isinstance(written, bytes):
        written = written.decode("latin-1")
    if not isinstance(written, str):
        return ""
    return "".join(letter for letter in written if letter.isprintable()).strip()


def _shown(written: object) -> str:
    try:
        return " ".join(str(part) for part in written)[:_LONGEST]  # type: ignore[attr-defined]
    except TypeError:
        return "nothing" if written is None else str(written)[:_LONGEST]
