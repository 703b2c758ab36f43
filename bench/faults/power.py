"""A power cut: every process is gone at once, and with it every byte that was not synced."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.faults.processes import REPOSITORY
from bench.faults.servers import NotHere

# Not of the disk: SQLite maps it into memory, and makes it anew after a crash.
_IN_MEMORY = "-shm"


def preloaded(source: str, folder: Path) -> Path:
    """Return a library of the bench's own, compiled into a folder."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotHere("cc is not installed")
    library = folder / Path(source).with_suffix(".so").name
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(REPOSITORY / "bench" / "faults" / source)]
    subprocess.run([*command, "-ldl"], check=True)
    return library


class Disk:
    """A HOME whose processes are watched for what they sync; `environment` is theirs."""

    def __init__(self, home: Path, folder: Path) -> None:
        self._home, self._kept = home, folder / "synced"
        self._kept.mkdir()
        for file in _files(home):
            shutil.copy(file, self._copy_of(file))
        self.environment = {
            "LD_PRELOAD": str(preloaded("unsynced_pages.c", folder)),
            "UNSYNCED_HOME": str(home),
            "UNSYNCED_KEPT": str(self._kept),
        }

    def lose_power(self, kill: Callable[[], None]) -> int:
        """Kill what writes, and put every file back to what was synced of it; return how many lost something."""
        kill()
        lost = 0
        for file in _files(self._home):
            if file.name.endswith(_IN_MEMORY):
                file.unlink()
                continue
            copy = self._copy_of(file)
            synced = copy.read_bytes() if copy.exists() else b""
            if file.read_bytes() != synced:
                file.write_bytes(synced)
                lost += 1
        return lost

    def _copy_of(self, file: Path) -> Path:
        return self._kept / str(file.relative_to(self._home)).replace(os.sep, "%")


def _files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
