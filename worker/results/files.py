"""Files and folders that a user named: they appear whole or not at all, and one line says why they cannot."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from db.errors import TaffrailError
from db.whole_files import whole_file, whole_folder


class OutputError(TaffrailError):
    """What was asked for cannot be written there."""


@contextmanager
def new_file(path: Path) -> Iterator[IO[str]]:
    """A text file (UTF-8, '\\n') that takes its name when it is complete; one that was there is replaced.

    A link stays one, and its target is written. A pipe or a device is written as it is: there is nothing to replace.

    Raises:
        OutputError: a folder or a socket has that name, or the place cannot be written or is full.
    """
    try:
        with _written_to(path) if _is_stream(path) else _replaced(Path(os.path.realpath(path))) as file:
            yield file
    except OSError as error:
        raise _refusal(path, error) from error


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder that takes its name when it is complete; what is in it already is never touched.

    Raises:
        OutputError: something of that name is there and is no empty folder, or the place cannot be written or is full.
    """
    if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise OutputError(f"{path}: is there and not empty; name a new folder")
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        # Not synced: it holds up to a file an image, each sync takes milliseconds, and the command writes it again.
        with whole_folder(path, synced=False) as draft:
            yield draft
    except OSError as error:
        raise _refusal(path, error) from error


@contextmanager
def _written_to(path: Path) -> Iterator[IO[str]]:
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def _replaced(path: Path) -> Iterator[IO[str]]:
    with whole_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        yield file


def _is_stream(path: Path) -> bool:
    """Whether a path names a pipe, a device, or an open file of ours such as /dev/stdout.

    Raises:
        OutputError: it names a folder, a socket or a disk.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise OutputError(f"{path}: is a folder; name a file")
    if stat.S_ISSOCK(mode) or stat.S_ISBLK(mode):
        raise OutputError(f"{path}: is a socket or a disk; name a file")
    return not stat.S_ISREG(mode) or path.is_relative_to("/dev") or path.is_relative_to("/proc")


def _refusal(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({error.strerror or type(error).__name__})")
