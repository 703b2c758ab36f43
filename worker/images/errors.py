"""Why an image cannot be read, and the size that a file may have."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from db.domain.unreadable import UnreadableReason as UnreadableReason
from db.errors import TaffrailError

MAX_BYTES = 512 * 2**20


# What is told of the bytes themselves, wherever they lie; the other reasons are a file's own.
OF_THE_BYTES = frozenset({UnreadableReason.NOT_AN_IMAGE, UnreadableReason.TOO_MANY_PIXELS, UnreadableReason.BROKEN})
# Too many open files, no memory, a failing disk, a server that does not answer: another time the file can be read.
_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN, errno.ENOLCK})
_DISKS = frozenset({errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN})
_SERVERS = frozenset({errno.ECONNRESET, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH})
# Linux tells these, too: a server's disk, a ticket that ran out.
_LINUX_ONLY = ("EREMOTEIO", "EHOSTDOWN", "EKEYEXPIRED")
_ON_LINUX = frozenset(getattr(errno, name) for name in _LINUX_ONLY if hasattr(errno, name))
SITE_ERRNOS = _LIMITS | _DISKS | _SERVERS | _ON_LINUX


class UnreadableImage(TaffrailError):
    """A file that gives no image; `reason` is one of a closed set, the message is one line."""

    def __init__(self, reason: UnreadableReason, text: str) -> None:
        super().__init__(f"{reason}: {text}" if text else str(reason))
        self.reason = reason


class SiteFault(TaffrailError):
    """The machine, its limits or a disk are at fault: this says nothing about any file, and is tried again."""


class StoreUnreachable(SiteFault):
    """The place where files lie does not answer."""


def check_is_the_files(error: OSError, path: bytes) -> None:
    """Tell a fault of the site from one of the file.

    Raises:
        SiteFault: it is the site's.
    """
    if error.errno in SITE_ERRNOS:
        raise SiteFault(f"{path.decode('utf-8', 'backslashreplace')}: {error.strerror}") from None


@dataclass(frozen=True)
class ImageFile:
    """The bytes of a file as they were read, and their SHA-256 in hex.

    captured_at, captured_from: when a frame was taken, ISO 8601, and who says so; None for what is no frame.
    """

    content: bytes
    sha256: str
    captured_at: str | None = None
    captured_from: str | None = None


def check_size(size_bytes: int, *, max_bytes: int) -> None:
    """Refuse a file that is empty or too large to be read.

    Raises:
        UnreadableImage: it is.
    """
    if size_bytes == 0:
        raise UnreadableImage(UnreadableReason.EMPTY, "the file has no bytes")
    if size_bytes > max_bytes:
        raise UnreadableImage(UnreadableReason.TOO_LARGE, f"{size_bytes} bytes, at most {max_bytes} are read")
