"""Reads image files that may be anything at all: an image comes out, or the reason why not."""

from __future__ import annotations

import errno
import hashlib
import os
import stat

from db.domain.places import is_url
from worker.images.errors import MAX_BYTES, ImageFile, UnreadableImage, UnreadableReason, check_size


def read_image_file(path: bytes, *, root: bytes | None = None, max_bytes: int = MAX_BYTES) -> ImageFile:
    """Return a file's bytes and hash; nothing but a regular file, below root where one is given, is ever read.

    Raises:
        UnreadableImage: missing, forbidden, a pipe, device or folder, a way out of root, empty, too large.
        StoreUnreachable: path is a URL (`s3://...`) whose store does not answer.
    """
    if is_url(path):
        from worker.images.object_store import read_remote_file

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
            # Evaluated again: a part of the path may have become a link since.
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
