"""Keeps libtiff from printing on the terminal what it finds wrong with a file: the file's own reason tells that."""

from __future__ import annotations

import contextlib
import ctypes
import re
from pathlib import Path

_MAPPED = Path("/proc/self/maps")
_LIBTIFF = re.compile(r"(/\S*/libtiff[^/\s]*\.so[^/\s]*)$", re.MULTILINE)


def quiet_libtiff() -> bool:
    """Take away libtiff's error and warning handlers, which write to stderr from C; return whether that was possible.

    Pillow brings a libtiff of its own and offers no setting for it. On systems without /proc nothing is done: lines of
    libtiff then appear among ours, and nothing else differs.
    """
    with contextlib.suppress(OSError, AttributeError):
        found = set(_LIBTIFF.findall(_MAPPED.read_text()))
        for path in found:
            library = ctypes.CDLL(path)
            for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
                take_away = getattr(library, name)
                take_away.argtypes, take_away.restype = [ctypes.c_void_p], ctypes.c_void_p
                take_away(None)
        return bool(found)
    return False
