"""Reads picture files that may be anything at all: a picture comes out, or the reason why not."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from db.domain.places import is_url
from db.errors import TaffrailError

# MPO comes as JPEG: Pillow's own list knows no separate opener for it.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
MAX_PIXELS = 178_956_970
MAX_BYTES = 512 * 2**20


class UnreadableReason(StrEnum):
    """Why a file gave no picture."""

    MISSING = "missing"
    PERMISSION = "permission"
    NOT_REGULAR = "not a regular file"
    OUTSIDE_ROOT = "outside the root"
    EMPTY = "empty"
    TOO_LARGE = "too large"
    READ_ERROR = "read error"
    NOT_AN_IMAGE = "not an image"
    TOO_MANY_PIXELS = "too many pixels"
    BROKEN = "broken"


class UnreadableImage(TaffrailError):
    """A file that gives no picture; `reason` is one of a closed set, the message is one line."""

    def __init__(self, reason: UnreadableReason, text: str) -> None:
        super().__init__(f"{reason}: {text}" if text else str(reason))
        self.reason = reason


class StoreUnreachable(TaffrailError):
    """The place where files lie does not answer: this says nothing about any file, and is tried again."""


@dataclass(frozen=True)
class ImageFile:
    """The bytes of a file as they were read, and their SHA-256 in hex."""

    content: bytes
    sha256: str


@dataclass(frozen=True)
class PictureSize:
    """What a picture's head says, without decoding it: its upright size, and when it was taken."""

    width_px: int
    height_px: int
    captured_at: str | None


@dataclass(frozen=True)
class Picture:
    """An upright RGB picture. pixels: (H, W, 3) uint8, perhaps reduced; width_px, height_px: of the whole original.

    captured_at: what the camera's EXIF says, ISO 8601 without a zone, or None.
    """

    pixels: npt.NDArray[np.uint8]
    width_px: int
    height_px: int
    captured_at: str | None


def read_image_file(path: bytes, *, root: bytes | None = None, max_bytes: int = MAX_BYTES) -> ImageFile:
    """Return a file's bytes and hash; nothing but a regular file, below root where one is given, is ever read.

    Raises:
        UnreadableImage: missing, forbidden, a pipe, device or folder, a way out of root, empty, too large.
        StoreUnreachable: path is a URL (`s3://...`) whose store does not answer.
    """
    if is_url(path):
        from worker.remote_files import read_remote_file

        return read_remote_file(path, root=root, max_bytes=max_bytes)
    real_root = os.path.realpath(root) if root is not None else None
    if real_root is not None:
        _refuse_outside(os.path.realpath(path), real_root)
    try:
        # Not blocking: opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _open_failure(error) from None
    try:
        if real_root is not None and (opened := _opened_path(descriptor)) is not None:
            # Judged again: a part of the path may have become a link since.
            _refuse_outside(opened, real_root)
        _check_status(os.fstat(descriptor), max_bytes=max_bytes)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableImage(UnreadableReason.READ_ERROR, error.strerror or "the disk failed") from None
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        raise UnreadableImage(UnreadableReason.TOO_LARGE, f"more than {max_bytes} bytes")
    return ImageFile(content=content, sha256=hashlib.sha256(content).hexdigest())


def check_size(size_bytes: int, *, max_bytes: int) -> None:
    """Refuse a file that is empty or too large to be read.

    Raises:
        UnreadableImage: it is.
    """
    if size_bytes == 0:
        raise UnreadableImage(UnreadableReason.EMPTY, "the file has no bytes")
    if size_bytes > max_bytes:
        raise UnreadableImage(UnreadableReason.TOO_LARGE, f"{size_bytes} bytes, at most {max_bytes} are read")


def decode_picture(
    content: bytes, *, at_least_hw: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Return the upright RGB picture in a file's bytes; a JPEG may come reduced, never below at_least_hw.

    Alpha is laid on black, 16-bit grey becomes 8-bit by its high byte, of an animation the first picture counts.

    Raises:
        UnreadableImage: no picture of the allowed formats, broken, or more than max_pixels.
    """
    with _told_clearly(max_pixels):
        return _decode(content, at_least_hw=at_least_hw, max_pixels=max_pixels)


def measure_picture(content: bytes, *, max_pixels: int = MAX_PIXELS) -> PictureSize:
    """Return the upright size of the picture in a file's bytes; it is not decoded, so it may still be torn.

    Raises:
        UnreadableImage: no picture of the allowed formats, or more than max_pixels.
    """
    with _told_clearly(max_pixels), Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width_px, height_px = _checked_size(image, max_pixels)
        exif = _read_exif(image)
        if _is_turned(exif):
            width_px, height_px = height_px, width_px
        return PictureSize(width_px, height_px, _captured_at(exif))


@contextmanager
def _told_clearly(max_pixels: int) -> Iterator[None]:
    """Turn whatever a decoder raises into one clear line."""
    try:
        with warnings.catch_warnings():
            # A bomb is judged by max_pixels; Pillow's other warnings are about odd metadata.
            warnings.simplefilter("ignore")
            yield
    except UnreadableImage:
        raise
    except UnidentifiedImageError:
        raise UnreadableImage(UnreadableReason.NOT_AN_IMAGE, f"none of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(UnreadableReason.TOO_MANY_PIXELS, f"more than {max_pixels}") from None
    except MemoryError:
        raise UnreadableImage(UnreadableReason.TOO_MANY_PIXELS, "it does not fit into memory") from None
    except Exception as error:  # Pillow's plugins raise whatever their parsers stumble over.
        found = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnreadableImage(UnreadableReason.BROKEN, found) from None


def _decode(content: bytes, *, at_least_hw: tuple[int, int] | None, max_pixels: int) -> Picture:
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
    return Picture(pixels=pixels, width_px=width_px, height_px=height_px, captured_at=_captured_at(exif))


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
    except Exception:  # Broken metadata must not cost a good picture.
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


def _refuse_outside(real_path: bytes, real_root: bytes) -> None:
    if real_path != real_root and not real_path.startswith(real_root.rstrip(b"/") + b"/"):
        raise UnreadableImage(UnreadableReason.OUTSIDE_ROOT, "a link leads out of the folder that was enqueued")


def _opened_path(descriptor: int) -> bytes | None:
    """Return where an open file lies, None where the system does not tell."""
    try:
        path = os.readlink(b"/proc/self/fd/%d" % descriptor)
    except OSError:
        return None
    return path if path.startswith(b"/") else None


def _open_failure(error: OSError) -> UnreadableImage:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return UnreadableImage(UnreadableReason.MISSING, "the file is gone or its link leads nowhere")
    if error.errno in (errno.EACCES, errno.EPERM):
        return UnreadableImage(UnreadableReason.PERMISSION, "this user may not read it")
    return UnreadableImage(UnreadableReason.READ_ERROR, error.strerror or type(error).__name__)


def _check_status(status: os.stat_result, *, max_bytes: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage(UnreadableReason.NOT_REGULAR, "a folder, pipe or device")
    check_size(status.st_size, max_bytes=max_bytes)
