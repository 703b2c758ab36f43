"""Reads what tells cameras apart in one image: a small grey image, its size, and the camera's own serial number."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from worker.images.decode import decode_image
from worker.images.formats import readable_formats
from worker.images.read import read_image_file

THUMBNAIL_HW = (54, 96)
_THREADS = 2
_CHUNK = 64

Thumbnail = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class CameraView:
    """An image as a camera's view. thumbnail: THUMBNAIL_HW grey, squeezed to that shape; serial: the camera's own
    number with its model, or None where the file does not tell."""

    sha256: str
    width_px: int
    height_px: int
    thumbnail: Thumbnail
    serial: str | None = None


def read_view(file: bytes) -> CameraView:
    """Return the view of an image file.

    Raises:
        UnreadableImage: the file gives no image.
    """
    read = read_image_file(file)
    image = decode_image(read.content, at_least_hw=THUMBNAIL_HW)
    thumbnail = shrink(image.pixels)
    return CameraView(read.sha256, image.width_px, image.height_px, thumbnail, _serial(read.content))


def read_views(files: Iterable[bytes]) -> Iterator[tuple[bytes, CameraView | Exception]]:
    """Yield every file in its order with its view, or with what was wrong with it."""
    waiting = iter(files)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="views") as pool:
        while chunk := list(islice(waiting, _CHUNK)):
            yield from zip(chunk, pool.map(_view_or_error, chunk), strict=True)


def shrink(pixels: npt.NDArray[np.uint8]) -> Thumbnail:
    """Return an image as a thumbnail. pixels: (H, W, 3) RGB. Returns THUMBNAIL_HW grey."""
    rows, columns = THUMBNAIL_HW
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize((columns, rows), Image.Resampling.BOX), dtype=np.uint8)


def _view_or_error(file: bytes) -> CameraView | Exception:
    try:
        return read_view(file)
    except Exception as error:  # decoders raise many kinds; one bad image never stops a search
        return error


def _serial(content: bytes) -> str | None:
    """Return maker, model and serial number as one text; a model alone says nothing: a fleet buys many of one."""
    try:
        with Image.open(io.BytesIO(content), formats=readable_formats()) as image:
            exif = image.getexif()
            inner = exif.get_ifd(ExifTags.IFD.Exif)
        number = inner.get(ExifTags.Base.BodySerialNumber) or exif.get(ExifTags.Base.CameraSerialNumber)
        parts = (exif.get(ExifTags.Base.Make), exif.get(ExifTags.Base.Model), number)
    except Exception:  # broken metadata must not cost a good image
        return None
    words = [" ".join(str(part).replace("\x00", " ").split()) for part in parts if part]
    return " ".join(word for word in words if word)[:255] if number and words[-1] else None
