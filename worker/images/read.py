"""Reads files that may be anything at all: an image's bytes come out, or the reason why not."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

from db.domain.frames import is_frame, is_video
from db.domain.places import is_url
from worker.images.errors import (
    MAX_BYTES,
    ImageFile,
    SiteFault,
    UnreadableImage,
    UnreadableReason,
    check_is_the_files,
    check_size,
)
from worker.images.frames import read_frame
from worker.images.open import open_below

_GROWN_BYTES = 2**20


def read_image_file(path: bytes, *, root: bytes | None = None, max_bytes: int = MAX_BYTES) -> ImageFile:
    """Return a file's bytes and hash; nothing but a regular file, below root where one is given, is ever read.

    Raises:
        UnreadableImage: missing, forbidden, a pipe, device or folder, a way out of root, empty, too large.
        StoreUnreachable: path is a URL (`s3://...`) whose store does not answer.
        SiteFault: a disk, a limit or the memory is at fault; it says nothing about the file.
    """
    if is_url(path):
        from worker.images.object_store import read_remote_file

        return read_remote_file(path, root=root, max_bytes=max_bytes)
    if is_frame(path) or is_video(path):
        return read_frame(path, root=root, max_bytes=max_bytes)
    with open_below(path, root) as file:
        try:
            content = _read(file, max_bytes=max_bytes)
        except OSError as error:
            check_is_the_files(error, path)
            raise UnreadableImage(UnreadableReason.READ_ERROR, error.strerror or "the disk failed") from None
        except MemoryError:
            raise SiteFault(f"{path.decode('utf-8', 'backslashreplace')}: not enough memory to read it") from None
    if len(content) > max_bytes:
        raise UnreadableImage(UnreadableReason.TOO_LARGE, f"more than {max_bytes} bytes")
    return ImageFile(content=content, sha256=hashlib.sha256(content).hexdigest())


def _read(file: BinaryIO, *, max_bytes: int) -> bytes:
    """Return a file's bytes, at most one more than allowed. Memory is asked for by the file's size, not the limit's."""
    size_bytes = os.fstat(file.fileno()).st_size
    check_size(size_bytes, max_bytes=max_bytes)
    content = file.read(size_bytes + 1)
    while size_bytes < len(content) <= max_bytes:  # it grew since
        size_bytes = len(content)
        content += file.read(min(_GROWN_BYTES, max_bytes + 1 - size_bytes))
    return content
