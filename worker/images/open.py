"""Opens files that may be anything at all: a regular file below its root comes out, or the reason why not."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

from worker.images.errors import UnreadableImage, UnreadableReason, check_is_the_files


def open_below(path: bytes, root: bytes | None) -> BinaryIO:
    """Return a regular file, opened for reading; below root where one is given. The caller closes it.

    Raises:
        UnreadableImage: missing, forbidden, a pipe, device or folder, or a way out of root.
        SiteFault: too many files are open, the disk or its server fails; it says nothing about the file.
    """
    real_root = os.path.realpath(root) if root is not None else None
    if real_root is not None:
        _refuse_outside(os.path.realpath(path), real_root)
    try:
        # Not blocking: opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        if _is_special(path):  # a socket says ENXIO, as a disk that is gone does
            raise _not_regular() from None
        check_is_the_files(error, path)
        raise _open_failure(error) from None
    try:
        if real_root is not None and (opened := _opened_path(descriptor)) is not None:
            # Evaluated again: a part of the path may have become a link since.
            _refuse_outside(opened, real_root)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_regular()
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _not_regular() -> UnreadableImage:
    return UnreadableImage(UnreadableReason.NOT_REGULAR, "a folder, pipe, socket or device")


def _is_special(path: bytes) -> bool:
    """Return whether something is there that no bytes of an image can lie in; False where nobody can tell."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


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
