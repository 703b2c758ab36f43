"""Where a content lies, and whose camera took it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One content with the first place where it was seen, and its camera: its own, or else its folder's.

    file: absolute, bytes; sizes of the upright original, 0 where it was never decoded.
    """

    image_id: int
    sha256: str
    file: bytes
    camera: str
    width_px: int
    height_px: int
    captured_at: str | None
