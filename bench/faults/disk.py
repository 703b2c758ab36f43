"""A small disk that can be full: a tmpfs of a few MiB."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.faults.servers import NotHere

_FILLER = "filler"


@contextlib.contextmanager
def small_disk(folder: Path, *, mib: int) -> Iterator[Path]:
    """A folder that holds so many MiB and no more."""
    if os.getuid() != 0:
        raise NotHere("needs root: mounts a tmpfs")
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        raise NotHere("a tmpfs cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with contextlib.suppress(OSError), (folder / _FILLER).open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


def relieve(folder: Path) -> None:
    """Give the space back."""
    (folder / _FILLER).unlink()
