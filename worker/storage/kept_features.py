"""Keeps what a trunk said of images on the disk, so that a new head of the same trunk costs its heads alone.

Layout: `HOME/kept-features/<key>/<2 hex>/<sha256>`, one file an image, written whole. The key tells everything that
features depend on besides the image's bytes. What was longest not used goes first when there is more than may be. Any
file may be missing, torn or removed at any time: it is made again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from db.whole_files import write_whole

Floats = npt.NDArray[np.float32]
ImageFeatures = tuple[tuple[Floats, ...], ...]
"""One image's features: of it and, at small inputs, of its mirror image; each by level, (h, w, C)."""

_HEAD = struct.Struct("<4sII")  # magic, crc32 of all that follows, length of the JSON
_MAGIC = b"TFK1"
_FLOAT = np.dtype("<f4")
# After each sixteenth of the limit the folder is measured: other processes write into it, too.
_MEASURED_EVERY = 16
_EVICTED_TO = 0.9
_log = logging.getLogger("taffrail.worker")


class KeptImage(BaseModel):
    """What an image's file said besides its pixels. letterbox: fitted rows, columns, pad_x, pad_y in the input."""

    model_config = ConfigDict(frozen=True)

    width_px: int
    height_px: int
    captured_at: str | None
    note: str | None
    thumbnail: str
    letterbox: tuple[int, int, int, int]
    shapes: tuple[tuple[tuple[int, int, int], ...], ...]


@dataclass(frozen=True)
class Usage:
    """How much is kept."""

    images: int
    mib: float


class KeptFeatures:
    """The store of one HOME; safe to be called from many threads and processes. limit_mib: of all keys together."""

    def __init__(self, folder: Path, *, limit_mib: int) -> None:
        self._folder = folder
        self._limit = limit_mib * 2**20
        self._lock = threading.Lock()
        self._held: int | None = None  # as last measured, and what this process wrote since
        self._since = 0
        self._off = False

    def find(self, key: str, sha256: str) -> tuple[KeptImage, ImageFeatures] | None:
        """Return what is kept of a content, None where nothing whole is; a damaged file is removed."""
        file = _file(self._folder, key, sha256)
        try:
            content = file.read_bytes()
            os.utime(file)  # used now
        except OSError:
            return None
        try:
            return _unpacked(content)
        except (ValueError, struct.error, ValidationError):
            file.unlink(missing_ok=True)
            return None

    def keep(self, key: str, sha256: str, image: KeptImage, features: ImageFeatures) -> None:
        """Keep an image's features, if there is room on the disk; else the log says so once, and no more is kept."""
        if self._off:
            return
        content = _packed(image, features)
        if len(content) > self._limit:
            return
        file = _file(self._folder, key, sha256)
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(file, content, synced=False)
            self._make_room(len(content))
        except OSError as error:
            self._off = True
            _log.warning("%s: features are not kept any more (%s)", self._folder, error.strerror or error)

    def _make_room(self, written: int) -> None:
        with self._lock:
            self._since += written
            known = self._held is not None and self._held + self._since <= self._limit
            if known and self._since < self._limit / _MEASURED_EVERY:
                return
            files = sorted(_files(self._folder))
            held = sum(size for _, size, _ in files)
            if held > self._limit:
                for _, size, path in files:
                    path.unlink(missing_ok=True)
                    held -= size
                    if held <= self._limit * _EVICTED_TO:
                        break
            self._held, self._since = held, 0


def kept_folder(home: Path) -> Path:
    """Return where features are kept."""
    return home / "kept-features"


def kept_key(*parts: str) -> str:
    """Return a short name of all that features depend on besides an image."""
    return hashlib.sha256("|".join((_MAGIC.decode(), *parts)).encode()).hexdigest()[:20]


def usage(home: Path) -> Usage:
    """Return how much is kept in HOME."""
    sizes = [size for _, size, _ in _files(kept_folder(home))]
    return Usage(len(sizes), sum(sizes) / 2**20)


def forget_all(home: Path) -> Usage:
    """Remove all kept features; return how much they were.

    Raises:
        OSError: they cannot be removed.
    """
    held = usage(home)
    if kept_folder(home).exists():
        shutil.rmtree(kept_folder(home))
    return held


def _file(folder: Path, key: str, sha256: str) -> Path:
    return folder / key / sha256[:2] / sha256


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Yield when each file was last used, its bytes and its path."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            try:
                status = path.stat()
            except OSError:  # another process removed it
                continue
            yield status.st_mtime, status.st_size, path


def _packed(image: KeptImage, features: ImageFeatures) -> bytes:
    said = image.model_dump_json().encode()
    rest = said + b"".join(level.astype(_FLOAT).tobytes() for view in features for level in view)
    return _HEAD.pack(_MAGIC, zlib.crc32(rest), len(said)) + rest


def _unpacked(content: bytes) -> tuple[KeptImage, ImageFeatures]:
    """Return what a file holds.

    Raises:
        ValueError, struct.error, ValidationError: it is not whole.
    """
    magic, crc32, length = _HEAD.unpack_from(content)
    rest = memoryview(content)[_HEAD.size :]
    if magic != _MAGIC or zlib.crc32(rest) != crc32:
        raise ValueError("not as it was written")
    image = KeptImage.model_validate_json(bytes(rest[:length]))
    start, views = length, []
    for shapes in image.shapes:
        levels = []
        for shape in shapes:
            count = int(np.prod(shape))
            levels.append(np.frombuffer(rest, _FLOAT, count, start).reshape(shape))
            start += count * _FLOAT.itemsize
        views.append(tuple(levels))
    return image, tuple(views)
