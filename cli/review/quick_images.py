"""Draws the images of a quick review: an image or a crop of it, as a small JPEG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotator.quick.page import QuickItem
    from db.settings import Settings

_MARGIN = 0.35
_QUALITY = 82


def draw_image(
    settings: Settings, item: QuickItem, box: tuple[float, float, float, float] | None, side_px: int
) -> bytes:
    """Return a JPEG whose longest side is at most side_px.

    box: xyxy in pixels of the upright original, shown with a margin; None shows the whole image. An image that
    cannot be read, or changed since, is a grey tile that says so.
    """
    from PIL import Image

    from worker.images.decode import decode_image
    from worker.images.errors import UnreadableImage
    from worker.images.read import read_image_file

    try:
        read = read_image_file(item.item.file, max_bytes=settings.max_file_mib * 2**20)
        if read.sha256 != item.item.sha256:
            return _grey("the file changed since it was looked at")
        decoded = decode_image(read.content, max_pixels=settings.max_pixels)
    except UnreadableImage as error:
        return _grey(str(error.reason))
    image = Image.fromarray(decoded.pixels)
    if box is not None:
        scale = image.width / decoded.width_px
        image = image.crop(_with_margin(box, scale=scale, width_px=image.width, height_px=image.height))
    image.thumbnail((side_px, side_px), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return _jpeg(image)


def _with_margin(
    box: tuple[float, float, float, float], *, scale: float, width_px: int, height_px: int
) -> tuple[int, int, int, int]:
    left, top, right, bottom = (value * scale for value in box)
    across, down = _MARGIN * (right - left), _MARGIN * (bottom - top)
    x, y = max(0, int(left - across)), max(0, int(top - down))
    return x, y, max(x + 1, min(width_px, int(right + across))), max(y + 1, min(height_px, int(bottom + down)))


def _grey(text: str) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (260, 195), (90, 90, 90))
    ImageDraw.Draw(image).text((10, 88), text[:40], fill=(255, 255, 255))
    return _jpeg(image)


def _jpeg(image: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)  # type: ignore[attr-defined]
    return buffer.getvalue()
