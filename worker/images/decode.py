"""Bytes to upright RGB pixels: the only place that decodes an image."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from db.domain.taken_with import UNTOLD, TakenWith
from worker.images.capture_time import capture_time
from worker.images.cut_short import complete, is_cut_short
from worker.images.eight_bits import dark_colours, grey_to_eight_bits, written_bits
from worker.images.errors import SiteFault, UnreadableImage, UnreadableReason
from worker.images.exif_device import taken_with
from worker.images.formats import readable_formats
from worker.images.quiet_libtiff import quiet_libtiff

MAX_PIXELS = 178_956_970
_NO_MEMORY = "not enough memory to decode an image; give more, or refuse large ones (TAFFRAIL_MAX_PIXELS)"
_DNG_VERSION = 50706
_NEW_SUBFILE_TYPE = 254
_REDUCED = 1
_JPEG = ("JPEG", "MPO")
# Orientations whose stored rows are columns; and the steps through rows and columns after that is undone.
_TURNED = frozenset({5, 6, 7, 8})
_MIRRORED = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
# What Pillow logs of a broken file is told with the file's own reason; without a handler it would be a line of its own.
logging.getLogger("PIL").addHandler(logging.NullHandler())
quiet_libtiff()


@dataclass(frozen=True)
class ImageSize:
    """What an image's head says, without decoding it: its upright size, and when it was taken.

    note: what of it was not as it should be, for people. taken_with: its place and camera.
    """

    width_px: int
    height_px: int
    captured_at: str | None
    note: str | None = None
    taken_with: TakenWith = UNTOLD


@dataclass(frozen=True)
class DecodedImage:
    """An upright RGB image. pixels: (H, W, 3) uint8, perhaps reduced; width_px, height_px: of the whole original.

    captured_at: what the camera's EXIF says, ISO 8601 without a zone, or None. note: what was not as it should be.
    taken_with: its place and camera.
    """

    pixels: npt.NDArray[np.uint8]
    width_px: int
    height_px: int
    captured_at: str | None
    note: str | None = None
    taken_with: TakenWith = UNTOLD


def decode_image(
    content: bytes, *, at_least_hw: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> DecodedImage:
    """Return the upright RGB image in a file's bytes; a JPEG may come reduced, never below at_least_hw.

    Alpha is laid on black, samples of more than 8 bits are scaled by the bits in use, of an animation the first image
    counts, a JPEG that lacks only a sliver of its end is used with a note.

    Raises:
        UnreadableImage: no image of the allowed formats, broken, or more than max_pixels.
    """
    with _told_clearly(max_pixels):
        return _decode(content, at_least_hw=at_least_hw, max_pixels=max_pixels)


def measure_image(content: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageSize:
    """Return the upright size of the image in a file's bytes; it is not decoded, so it may still be torn.

    Raises:
        UnreadableImage: no image of the allowed formats, or more than max_pixels.
    """
    with _told_clearly(max_pixels), Image.open(io.BytesIO(content), formats=readable_formats()) as image:
        return _measure(image, max_pixels)


@contextmanager
def _told_clearly(max_pixels: int) -> Iterator[None]:
    """Turn whatever a decoder raises into one clear line."""
    try:
        with warnings.catch_warnings():
            # A bomb is evaluated by max_pixels; Pillow's other warnings are about odd metadata.
            warnings.simplefilter("ignore")
            yield
    except (UnreadableImage, SiteFault):
        raise
    except UnidentifiedImageError:
        raise UnreadableImage(UnreadableReason.NOT_AN_IMAGE, f"none of {', '.join(readable_formats())}") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(UnreadableReason.TOO_MANY_PIXELS, f"more than {max_pixels}") from None
    except MemoryError:
        raise SiteFault(_NO_MEMORY) from None
    except Exception as error:  # Pillow's plugins raise whatever their parsers stumble over.
        found = " ".join(str(error).split())[:200] or type(error).__name__
        if "out of memory" in found:  # as Pillow's decoders in C say it
            raise SiteFault(_NO_MEMORY) from None
        raise UnreadableImage(UnreadableReason.BROKEN, found) from None


def _measure(image: Image.Image, max_pixels: int) -> ImageSize:
    _refuse_raw(image)
    width_px, height_px = _checked_size(image, max_pixels)
    exif = _read_exif(image)
    if _orientation(image, exif) in _TURNED:
        width_px, height_px = height_px, width_px
    (captured_at, odd_time), (device, odd_place) = capture_time(exif), taken_with(exif)
    return ImageSize(width_px, height_px, captured_at, _joined(odd_time, odd_place), device)


def _joined(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note) or None


def _decode(content: bytes, *, at_least_hw: tuple[int, int] | None, max_pixels: int) -> DecodedImage:
    with Image.open(io.BytesIO(content), formats=readable_formats()) as image:
        size = _measure(image, max_pixels)
        orientation = _orientation(image, _read_exif(image))
        if at_least_hw is not None and orientation in _TURNED:
            at_least_hw = at_least_hw[::-1]
        pixels, cut = _as_stored(image, content, at_least_hw)
    return DecodedImage(
        pixels=_upright(pixels, orientation),
        width_px=size.width_px,
        height_px=size.height_px,
        captured_at=size.captured_at,
        note=_joined(size.note, cut),
        taken_with=size.taken_with,
    )


def _as_stored(
    image: Image.Image, content: bytes, at_least_hw: tuple[int, int] | None
) -> tuple[npt.NDArray[np.uint8], str | None]:
    """Return an image's pixels as they are stored, and what a cut JPEG lacks, for people (None: it is whole)."""
    height_px = image.height  # a reduced one says another
    try:
        _reduce(image, at_least_hw)
        image.load()
        return _to_rgb(image, content), None
    except OSError as error:
        if image.format not in _JPEG or not is_cut_short(content, error):
            raise
        completed = complete(content, lambda whole: _stored_jpeg(whole, at_least_hw))
        if completed is None:
            raise
        return completed.pixels, completed.told(height_px)


def _stored_jpeg(content: bytes, at_least_hw: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
        _reduce(image, at_least_hw)
        return _rgb(image)


def _reduce(image: Image.Image, at_least_hw: tuple[int, int] | None) -> None:
    if at_least_hw is not None and image.format == "JPEG":
        rows, columns = at_least_hw
        image.draft(None, (columns, rows))


def _checked_size(image: Image.Image, max_pixels: int) -> tuple[int, int]:
    width_px, height_px = image.size
    if width_px * height_px > max_pixels:
        raise UnreadableImage(
            UnreadableReason.TOO_MANY_PIXELS, f"{width_px}x{height_px}, at most {max_pixels} are decoded"
        )
    return width_px, height_px


def _refuse_raw(image: Image.Image) -> None:
    """Refuse a raw file that opens as a TIFF: what Pillow finds first in it is a thumbnail."""
    tags = getattr(image, "tag_v2", None) if image.format == "TIFF" else None
    if tags is not None and (_DNG_VERSION in tags or int(tags.get(_NEW_SUBFILE_TYPE) or 0) & _REDUCED):
        raise UnreadableImage(UnreadableReason.NOT_AN_IMAGE, "a raw file, of which only the thumbnail can be read")


def _orientation(image: Image.Image, exif: Image.Exif) -> int:
    # Pillow turns a TIFF by itself, its size at once and its pixels when they are loaded.
    found = exif.get(ExifTags.Base.Orientation) if image.format != "TIFF" else 1
    return found if isinstance(found, int) else 1


def _upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Return stored pixels, (H, W, 3), as they are looked at.

    Source: EXIF 2.32, tag 274.
    """
    if orientation in _TURNED:
        pixels = pixels.transpose(1, 0, 2)
    rows, columns = _MIRRORED.get(orientation, (1, 1))
    return np.ascontiguousarray(pixels[::rows, ::columns])


def _to_rgb(image: Image.Image, content: bytes) -> npt.NDArray[np.uint8]:
    """Return a loaded image's pixels as (H, W, 3)."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = grey_to_eight_bits(np.asarray(image), bits=written_bits(image, content))
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("RGB", "RGBA") and image.format in ("PNG", "TIFF"):
        with Image.open(io.BytesIO(content), formats=(image.format,)) as unread:
            dark = dark_colours(unread, np.asarray(image))
        if dark is not None:
            return dark
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, (0, 0, 0, 255)), clear)
    return _rgb(image)


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Return the pixels; `convert` would copy an image that is RGB already."""
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)


def _read_exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except Exception:  # Broken metadata must not cost a good image.
        return Image.Exif()
