"""Where the cameras stood and how their clocks differ from UTC, as a user tells it."""

from __future__ import annotations

import re

_OFFSET = re.compile(r"^[+-](0\d|1[0-4]):[0-5]\d$")


def position_from(written: str) -> tuple[float, float]:
    """Return latitude and longitude, WGS84 degrees.

    Raises:
        ValueError: it is none.

    >>> position_from("-21.5, 55.25")
    (-21.5, 55.25)
    """
    parts = written.split(",")
    try:
        latitude, longitude = (float(part) for part in parts)
    except ValueError:
        raise ValueError(
            f"{written!r} is no position; wanted LATITUDE,LONGITUDE in degrees, such as -21.5,55.25"
        ) from None
    if not (-90.0 <= latitude <= 90.0 and -180.0 <= longitude <= 180.0):
        raise ValueError(f"{written!r} is no position; wanted -90 to 90 and -180 to 180 degrees")
    return latitude, longitude


def utc_offset_from(written: str) -> str:
    """Return how far the cameras' clocks are from UTC, as ISO 8601 writes it.

    Raises:
        ValueError: it is none.

    >>> utc_offset_from("Z"), utc_offset_from("+10:00")
    ('+00:00', '+10:00')
    """
    text = "+00:00" if written.strip().upper() == "Z" else written.strip()
    if not _OFFSET.match(text):
        raise ValueError(f"{written!r} is no offset from UTC; wanted such as +10:00, or Z")
    return text
