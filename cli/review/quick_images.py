"""Draws the images of a quick review as small JPEGs: a whole image, or a tile of a fish above its whole image."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

    from annotator.quick.page import QuickItem
    from db.domain.boxes import Box
    from db.settings import Settings

_MARGIN = 0.35
_QUALITY = 82
_TILE_PX = 260
_WHOLE_PX = 1100
_CROP_SHAPE = (_TILE_PX, _TILE_PX * 3 // 4)
_OUTLINE = (255, 212, 0)


def draw_whole(settings: Settings, item: QuickItem) -> bytes:
    """Return the whole image as a JPEG; one that cannot be read, or changed since, is a grey one that says so."""
    image, problem = _read(settings, item)
    if image is None:
        return _jpeg(_grey(problem))
    image.thumbnail((_WHOLE_PX, _WHOLE_PX), reducing_gap=2.0)
    return _jpeg(image)


def draw_tile(settings: Settings, item: QuickItem) -> bytes:
    """Return a tile as a JPEG: the fish where there is one, and always the whole image with its boxes.

    Who confirms a tile also says that no fish was missed, so the whole image must be seen.
    """
    from PIL import Image, ImageOps

    image, problem = _read(settings, item)
    if image is None:
        return _jpeg(_grey(problem))
    boxes = [found.box for found in item.item.answer.boxes] if item.item.answer is not None else []
    whole = _with_outlines(image, boxes, scale=image.width / item.item.width_px)
    if len(boxes) != 1:
        return _jpeg(whole)
    tile = Image.new("RGB", (_TILE_PX, _CROP_SHAPE[1] + whole.height))
    crop = image.crop(_with_margin(boxes[0], image, scale=image.width / item.item.width_px))
    crop = ImageOps.contain(crop, _CROP_SHAPE)
    tile.paste(crop, ((_TILE_PX - crop.width) // 2, (_CROP_SHAPE[1] - crop.height) // 2))
    tile.paste(whole, (0, _CROP_SHAPE[1]))
    return _jpeg(tile)


def _read(settings: Settings, item: QuickItem) -> tuple[Image | None, str]:
    from PIL import Image

    from worker.images.decode import decode_image
    from worker.images.errors import UnreadableImage
    from worker.images.read import read_image_file

    try:
        read = read_image_file(item.item.file, max_bytes=settings.max_file_mib * 2**20)
        if read.sha256 != item.item.sha256:
            return None, "changed since it was looked at"
        return Image.fromarray(decode_image(read.content, max_pixels=settings.max_pixels).pixels), ""
    except UnreadableImage as error:
        return None, str(error.reason)


def _with_outlines(image: Image, boxes: list[Box], *, scale: float) -> Image:
    from PIL import ImageDraw

    small = image.resize((_TILE_PX, max(1, round(image.height * _TILE_PX / image.width))), reducing_gap=2.0)
    shrunk = scale * _TILE_PX / image.width
    draw = ImageDraw.Draw(small)
    for box in boxes:
        draw.rectangle([value * shrunk for value in box.xyxy], outline=_OUTLINE, width=2)
    return small


def _with_margin(box: Box, image: Image, *, scale: float) -> tuple[int, int, int, int]:
    left, top, right, bottom = (value * scale for value in box.xyxy)
    across, down = _MARGIN * (right - left), _MARGIN * (bottom - top)
    x, y = max(0, int(left - across)), max(0, int(top - down))
    return x, y, max(x + 1, min(image.width, int(right + across))), max(y + 1, min(image.height, int(bottom + down)))


def _grey(text: str) -> Image:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", _CROP_SHAPE, (90, 90, 90))
    ImageDraw.Draw(image).text((10, _CROP_SHAPE[1] // 2), text[:40], fill=(255, 255, 255))
    return image


def _jpeg(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
