"""Bytes to upright RGB pixels: the only place that decodes an image."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from worker.images.errors import SiteFault, UnreadableImage, UnreadableReason

# MPO comes as JPEG: Pillow's own list knows no separate opener for it.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")

MAX_PIXELS = 178_956_970
_NO_MEMORY = "not enough memory to decode an image; give more, or refuse large ones (TAFFRAIL_MAX_PIXELS)"


@dataclass(frozen=True)
class ImageSize:
    """What an image's head says, without decoding it: its upright size, and when it was taken."""

    width_px: int
    height_px: int
    captured_at: str | None


@dataclass(frozen=True)
class DecodedImage:
    """An upright RGB image. pixels: (H, W, 3) uint8, perhaps reduced; width_px, height_px: of the whole original.

    captured_at: what the camera's EXIF says, ISO 8601 without a zone, or None.
    """

    pixels: npt.NDArray[np.uint8]
    width_px: int
    height_px: int
    captured_at: str | None


def decode_image(
    content: bytes, *, at_least_hw: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> DecodedImage:
    """Return the upright RGB image in a file's bytes; a JPEG may come reduced, never below at_least_hw.

    Alpha is laid on black, 16-bit grey becomes 8-bit by its high byte, of an animation the first image counts.

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
    with _told_clearly(max_pixels), Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width_px, height_px = _checked_size(image, max_pixels)
        exif = _read_exif(image)
        if _is_turned(exif):
            width_px, height_px = height_px, width_px
        return ImageSize(width_px, height_px, _captured_at(exif))


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
        raise UnreadableImage(UnreadableReason.NOT_AN_IMAGE, f"none of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(UnreadableReason.TOO_MANY_PIXELS, f"more than {max_pixels}") from None
    except MemoryError:
        raise SiteFault(_NO_MEMORY) from None
    except Exception as error:  # Pillow's plugins raise whatever their parsers stumble over.
        found = " ".join(str(error).split())[:200] or type(error).__name__
        if "out of memory" in found:  # as Pillow's decoders in C say it
            raise SiteFault(_NO_MEMORY) from None
        raise UnreadableImage(UnreadableReason.BROKEN, found) from None


def _decode(content: bytes, *, at_least_hw: tuple[int, int] | None, max_pixels: int) -> DecodedImage:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width_px, height_px = _checked_size(image, max_pixels)
        exif = _read_exif(image)
        turned = _is_turned(exif)
        if at_least_hw is not None and image.format == "JPEG":
            rows, columns = at_least_hw if not turned else at_least_hw[::-1]
            image.draft(None, (columns, rows))
        image.load()
        upright = _to_rgb(ImageOps.exif_transpose(image))
    if turned:
        width_px, height_px = height_px, width_px
    pixels = np.asarray(upright, dtype=np.uint8)
    return DecodedImage(pixels=pixels, width_px=width_px, height_px=height_px, captured_at=_captured_at(exif))


def _checked_size(image: Image.Image, max_pixels: int) -> tuple[int, int]:
    width_px, height_px = image.size
    if width_px * height_px > max_pixels:
        raise UnreadableImage(
            UnreadableReason.TOO_MANY_PIXELS, f"{width_px}x{height_px}, at most {max_pixels} are decoded"
        )
    return width_px, height_px


def _is_turned(exif: Image.Exif) -> bool:
    return exif.get(ExifTags.Base.Orientation) in (5, 6, 7, 8)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.int64)
        return Image.fromarray(
            np.clip(grey >> 8 if grey.max(initial=0) > 255 else grey, 0, 255).astype(np.uint8)
        ).convert("RGB")
    if image.mode == "F":
        grey = np.nan_to_num(np.asarray(image))
        return Image.fromarray(
            (grey / max(float(grey.max(initial=0)), 1.0) * 255).clip(0, 255).astype(np.uint8)
        ).convert("RGB")
    if image.has_transparency_data:
        upright = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", upright.size, (0, 0, 0, 255)), upright).convert("RGB")
    return image.convert("RGB")


def _read_exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except Exception:  # Broken metadata must not cost a good image.
        return Image.Exif()


def _captured_at(exif: Image.Exif) -> str | None:
    try:
        written = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(
            ExifTags.Base.DateTime
        )
        date, time = str(written).strip("\x00 ").split(" ", 1)
        year, month, day = (int(part) for part in date.split(":"))
        hour, minute, second = (int(part) for part in time.split(":"))
    except Exception:  # Absent, or written in a way of its own.
        return None
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}" if year > 0 else None
