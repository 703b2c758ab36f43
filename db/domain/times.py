"""When an image was taken, and who says so: its EXIF, its video's container, or its name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache


class TimeSource(StrEnum):
    """Who says when an image was taken; RATE tells only how far the frames of one video are apart."""

    EXIF = "exif"
    CONTAINER = "container"
    NAME = "name"
    RATE = "frame rate"


# As cameras and recorders name their files. %f: a fraction of a second, %s: seconds since 1970.
KNOWN_PATTERNS = (
    "%Y%m%d%H%M%S%f",  # Hikvision: 192.168.1.64_01_20240506070809123_MOTION.jpg
    "%Y%m%d%H%M%S",  # Reolink: deck_01_20240506070809.mp4
    "%Y%m%d_%H%M%S_%f",
    "%Y%m%d_%H%M%S",
    "%Y%m%d-%H%M%S",
    "%Y%m%dT%H%M%S",
    "%Y-%m-%d_%H-%M-%S_%f",  # Axis: axis-ACCC8E_2024-05-06_07-08-09_123.jpg
    "%Y-%m-%d_%H-%M-%S",
    "%Y-%m-%dT%H-%M-%S",
    "%Y-%m-%d %H.%M.%S",
    "%Y-%m-%d/%H.%M.%S",  # Dahua: 2024-05-06/07.08.09-07.20.00[R][0@0][0].mp4
    "%Y-%m-%d/%H-%M-%S",
    "%s",  # 1715000000.jpg
)
_CODES = {
    "%Y": r"(?P<Y>(?:19|20)\d\d)",
    "%m": r"(?P<m>0\d|1[0-2])",
    "%d": r"(?P<d>[0-2]\d|3[01])",
    "%H": r"(?P<H>[01]\d|2[0-3])",
    "%M": r"(?P<M>[0-5]\d)",
    "%S": r"(?P<S>[0-5]\d)",
    "%f": r"(?P<f>\d{1,6})",
    "%s": r"(?P<s>1\d{9})",
}


def time_in_name(path: bytes, patterns: Sequence[str] = KNOWN_PATTERNS) -> str | None:
    """Return the time that a file's path tells, ISO 8601 without a zone; the pattern that comes first counts.

    patterns: with %Y %m %d %H %M %S %f, or %s; found anywhere in the last two parts of the path, digits whole.

    >>> time_in_name(b"cam1/192.168.1.64_01_20240506070809123_MOTION.jpg")
    '2024-05-06T07:08:09.123'
    >>> time_in_name(b"cam1/img_0042.jpg") is None
    True
    """
    text = "/".join(os.fsdecode(path).split("/")[-2:])
    for pattern in patterns:
        for found in _expression(pattern).finditer(text):
            if (moment := _moment(found.groupdict())) is not None:
                return moment
    return None


def check_pattern(pattern: str) -> str:
    """Return a pattern that can tell a time.

    Raises:
        ValueError: it lacks a part of a time, or holds an unknown code.

    >>> check_pattern("%Y%m%d-%H%M%S")
    '%Y%m%d-%H%M%S'
    """
    codes = re.findall(r"%.?", pattern)
    unknown = sorted(set(codes) - set(_CODES))
    whole = all(code in codes for code in ("%Y", "%m", "%d", "%H", "%M", "%S"))
    if unknown or len(codes) != len(set(codes)) or not (whole or "%s" in codes):
        raise ValueError(f"{pattern!r}: wanted %Y %m %d %H %M %S (and %f), or %s, each once")
    return pattern


@lru_cache(maxsize=64)
def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(%[YmdHMSfs])", check_pattern(pattern))
    inner = "".join(_CODES.get(part) or re.escape(part) for part in parts)
    return re.compile(rf"(?<!\d){inner}(?!\d)")


def _moment(found: dict[str, str | None]) -> str | None:
    try:
        if found.get("s"):
            return datetime.fromtimestamp(int(found["s"] or 0), UTC).replace(tzinfo=None).isoformat()
        moment = datetime(*(int(found[code] or 0) for code in "YmdHMS"))  # type: ignore[arg-type]
    except ValueError:
        return None
    fraction = found.get("f")
    return moment.isoformat() + (f".{fraction}" if fraction else "")
