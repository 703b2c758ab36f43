"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from db.errors import TaffrailError


class OutputError(TaffrailError):
    """What was asked for cannot be written there."""


@contextmanager
def new_file(path: Path) -> Iterator[IO[str]]:
    """A text file (UTF-8, '\\n') that takes its name when it is complete; one that was there is replaced.

    Raises:
        OutputError: a folder has that name, or the place cannot be written or is full.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    part = _part_of(path)
    try:
        with part.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder that takes its name when it is complete; what is in it already is never touched.

    Raises:
        OutputError: something of that name is there and is no empty folder, or the place cannot be written or is full.
    """
    if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise OutputError(f"{path}: is there and not empty; name a new folder")
    part = _part_of(path)
    try:
        part.mkdir(parents=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _part_of(path: Path) -> Path:
    return path.absolute().with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")


def _refusal(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({error.strerror or type(error).__name__})")
