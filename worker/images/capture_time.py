"""When a camera says that an image was taken; a time that does not exist is none, with a note."""

from __future__ import annotations

from datetime import datetime

from PIL import ExifTags, Image

_SHOWN = 40


def capture_time(exif: Image.Exif) -> tuple[str | None, str | None]:
    """Return the camera's time, ISO 8601 without a zone, and a note where what is written is no time.

    Cameras whose clock was never set write zeros or blanks: these say nothing, and need no note.
    """
    try:
        inner = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
        written = str(inner or exif.get(ExifTags.Base.DateTime) or "").strip("\x00 ")
    except Exception:  # broken metadata must not cost a good image
        return None, None
    if not any(digit in written for digit in "123456789"):
        return None, None
    try:
        return datetime.strptime(written[:_SHOWN], "%Y:%m:%d %H:%M:%S").isoformat(), None
    except ValueError:
        return None, f"its clock says {written[:_SHOWN]!r}, which is no time"
