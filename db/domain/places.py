"""Where a content lies, and whose camera took it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_URL = re.compile(rb"[a-z][a-z0-9+.-]*://")


@dataclass(frozen=True)
class Place:
    """One content with the first place where it was seen, and its camera: its own, or else its folder's.

    file: absolute, bytes, or a URL; sizes of the upright original, 0 where it was never decoded.
    """

    image_id: int
    sha256: str
    file: bytes
    camera: str
    width_px: int
    height_px: int
    captured_at: str | None


def is_url(path: bytes) -> bool:
    """Return whether a path is a URL of an object store or another machine.

    >>> is_url(b"s3://bucket/a.jpg"), is_url(b"/data/s3:/a.jpg")
    (True, False)
    """
    return _URL.match(path) is not None
