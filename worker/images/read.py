"""Reads files that may be anything at all: an image's bytes come out, or the reason why not."""

from __future__ import annotations

import hashlib
import os

from db.domain.frames import is_frame, is_video
from db.domain.places import is_url
from worker.images.errors import MAX_BYTES, ImageFile, UnreadableImage, UnreadableReason, check_size
from worker.images.frames import read_frame
from worker.images.open import open_below


def read_image_file(path: bytes, *, root: bytes | None = None, max_bytes: int = MAX_BYTES) -> ImageFile:
    """Return a file's bytes and hash; nothing but a regular file, below root where one is given, is ever read.

    Raises:
        UnreadableImage: missing, forbidden, a pipe, device or folder, a way out of root, empty, too large.
        StoreUnreachable: path is a URL (`s3://...`) whose store does not answer.
    """
    if is_url(path):
        from worker.images.object_store import read_remote_file

        return read_remote_file(path, root=root, max_bytes=max_bytes)
    if is_frame(path) or is_video(path):
        return read_frame(path, root=root, max_bytes=max_bytes)
    with open_below(path, root) as file:
        check_size(os.fstat(file.fileno()).st_size, max_bytes=max_bytes)
        try:
            content = file.read(max_bytes + 1)
        except OSError as error:
            raise UnreadableImage(UnreadableReason.READ_ERROR, error.strerror or "the disk failed") from None
    if len(content) > max_bytes:
        raise UnreadableImage(UnreadableReason.TOO_LARGE, f"more than {max_bytes} bytes")
    return ImageFile(content=content, sha256=hashlib.sha256(content).hexdigest())
