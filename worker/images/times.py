"""When an image was taken, where its own EXIF does not say: by its place in a video, or by its name."""

from __future__ import annotations

from collections.abc import Sequence

from db.domain.times import KNOWN_PATTERNS, TimeSource, time_in_name
from worker.images.errors import ImageFile

Taken = tuple[str | None, str | None]
"""When, ISO 8601 without a zone, and who says so."""


def time_taken(exif: str | None, file: ImageFile, path: bytes, patterns: Sequence[str] = KNOWN_PATTERNS) -> Taken:
    """Return when an image was taken: as its EXIF says, else as its video does, else its name.

    >>> time_taken(None, ImageFile(b"", ""), b"cam1/20240506-070809.jpg")
    ('2024-05-06T07:08:09', 'name')
    """
    if exif is not None:
        return exif, str(TimeSource.EXIF)
    if file.captured_from is not None:
        return file.captured_at, file.captured_from
    named = time_in_name(path, patterns)
    return (named, str(TimeSource.NAME)) if named else (None, None)
