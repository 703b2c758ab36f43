"""Draws contact sheets of cameras, so that a person sees at once whether each holds one view."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from db.domain.cameras import CameraImage
from db.errors import TaffrailError
from db.progress import Progress, no_progress
from db.whole_files import whole_file
from worker.images.decode import decode_image
from worker.images.errors import UnreadableImage
from worker.images.read import read_image_file

IMAGES_A_CAMERA = 23
_TILE_HW = (135, 240)
_COLUMNS = 6
_CAPTION_PX = 16


class SheetError(TaffrailError):
    """A sheet cannot be written."""


def write_sheets(
    images: Mapping[str, Sequence[CameraImage]], folder: Path, *, progress: Progress = no_progress
) -> list[Path]:
    """Return the PNG of each camera, and first `cameras.png` with the still background of all of them.

    images: by camera. Each sheet begins with the camera's background: the median of its images.
    Raises:
        SheetError: the folder cannot be written.
    """
    backgrounds, files = [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, (camera, held) in enumerate(sorted(images.items()), start=1):
            tiles = [tile for image in _spread(held) if (tile := _tile(image)) is not None]
            if tiles:
                still = _background_tile([pixels for pixels, _caption in tiles], f"{camera}: {len(held)} images")
                backgrounds.append(still)
                files.append(folder / f"{number:03d}-{_safe(camera)}.png")
                _save(_sheet([still, *tiles]), files[-1])
            progress(number, len(images))
        if backgrounds:
            files.insert(0, folder / "cameras.png")
            _save(_sheet(backgrounds), files[0])
    except OSError as error:
        raise SheetError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return files


def _save(sheet: Image.Image, file: Path) -> None:
    with whole_file(file, synced=False) as draft:
        sheet.save(draft, "PNG")


_Tile = tuple[Image.Image, str]


def _spread(images: Sequence[CameraImage]) -> list[CameraImage]:
    """Return images from the first to the last, evenly."""
    places = np.linspace(0, len(images) - 1, min(len(images), IMAGES_A_CAMERA)).round().astype(int)
    return [images[place] for place in places]


def _tile(image: CameraImage) -> _Tile | None:
    try:
        pixels = decode_image(read_image_file(image.file).content, at_least_hw=_TILE_HW).pixels
    except UnreadableImage:
        return None
    rows, columns = _TILE_HW
    name = os.fsdecode(os.path.basename(image.file)).encode("ascii", "replace").decode()
    return Image.fromarray(pixels).resize((columns, rows)), f"{image.species or ''} {name}"[-36:]


def _background_tile(tiles: Sequence[Image.Image], caption: str) -> _Tile:
    still = np.median(np.stack([np.asarray(tile) for tile in tiles]), axis=0).astype(np.uint8)
    return Image.fromarray(still), caption.encode("ascii", "replace").decode()[:36]


def _sheet(tiles: Sequence[_Tile]) -> Image.Image:
    rows, columns = _TILE_HW
    lines = -(-len(tiles) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * columns, lines * (rows + _CAPTION_PX)), (24, 26, 28))
    draw = ImageDraw.Draw(sheet)
    for number, (pixels, caption) in enumerate(tiles):
        x, y = number % _COLUMNS * columns, number // _COLUMNS * (rows + _CAPTION_PX)
        sheet.paste(pixels, (x, y + _CAPTION_PX))
        draw.text((x + 4, y + 2), caption, fill=(230, 230, 225))
    return sheet


def _safe(camera: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", camera)[:60] or "camera"
