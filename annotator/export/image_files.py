"""Brings images into a review folder: the bytes that were looked at, from a disk, a URL or a video."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from annotator.errors import AnnotatorError
from db.domain.frames import is_frame
from db.domain.places import is_url

_CHUNK_BYTES = 1 << 20
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
_MAGIC = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"), (b"BM", ".bmp"))

Fetch = Callable[[bytes], bytes]
"""Returns the content under a URL or of a video's frame; raises `ImageProblem` where the fault is the image's alone."""


class Images(StrEnum):
    """How images come into the folder; only a copy can be sent on, and cannot harm the original."""

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


class ImageProblem(AnnotatorError):
    """Why one image is left out."""


def no_fetch(_url: bytes) -> bytes:
    """Refuse every URL and video: for who exports files from disks only.

    Raises:
        ImageProblem: always.
    """
    raise ImageProblem("lies under a URL or in a video, and nothing here reads those")


def bring_image(file: bytes, stem: Path, *, sha256: str, images: Images, fetch: Fetch) -> str:
    """Return the name of the image as it now lies in the folder: the stem with the image's suffix.

    file: absolute, a URL, or a frame of a video; what is no file of its own is always copied.

    Raises:
        ImageProblem: it cannot be read, or is no longer what was looked at.
        OSError: the folder cannot be written.
    """
    if is_url(file) or is_frame(file):
        return _bring_content(fetch(file), file, stem, sha256=sha256)
    target = stem.with_name(stem.name + (_named_suffix(file) or _told_suffix(_first_bytes(file))))
    try:
        source = os.open(file, os.O_RDONLY)
    except OSError as error:
        raise ImageProblem(f"cannot be read ({error.strerror})") from None
    try:
        digest = _hash_to(source, target if images is Images.COPY else Path(os.devnull))
    finally:
        os.close(source)
    if digest != sha256:
        target.unlink(missing_ok=True)
        raise _changed()
    if images is Images.HARDLINK:
        os.link(file, os.fsencode(target))
    elif images is Images.SYMLINK:
        os.symlink(file, os.fsencode(target))
    return target.name


def _bring_content(content: bytes, url: bytes, stem: Path, *, sha256: str) -> str:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _changed()
    target = stem.with_name(stem.name + (_named_suffix(url) or _told_suffix(content[:12])))
    target.write_bytes(content)
    return target.name


def _changed() -> ImageProblem:
    return ImageProblem("changed since it was enqueued; enqueue its folder again")


def _hash_to(source: int, target: Path) -> str:
    digest = hashlib.sha256()
    with open(target, "wb") as copy:
        while chunk := _read(source):
            digest.update(chunk)
            copy.write(chunk)
    return digest.hexdigest()


def _read(source: int) -> bytes:
    try:
        return os.read(source, _CHUNK_BYTES)
    except OSError as error:
        raise ImageProblem(f"cannot be read ({error.strerror})") from None


def _first_bytes(file: bytes) -> bytes:
    try:
        with open(file, "rb") as image:
            return image.read(12)
    except OSError:
        return b""


def _named_suffix(name: bytes) -> str | None:
    """Return the suffix that labelme knows the image by, None where it would know none."""
    found = os.path.splitext(os.fsdecode(name))[1].lower()
    return found if found in _SUFFIXES else None


def _told_suffix(start: bytes) -> str:
    """Return the suffix that an image's first bytes tell."""
    if start[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for magic, suffix in _MAGIC if start.startswith(magic)), ".jpg")
