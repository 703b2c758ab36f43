"""A report as one file to send."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from db.whole_files import whole_file
from worker.results.files import OutputError

_PACKED = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def zip_of(folder: Path) -> Path:
    """Return where the zip of a report's folder lies: beside it."""
    return folder.with_name(f"{folder.name}.zip")


def zip_folder(folder: Path, file: Path) -> None:
    """Write a folder as a zip that unpacks into a folder of the same name; one that was there is replaced.

    Raises:
        OutputError: the file cannot be written, or the disk is full.
    """
    try:
        with whole_file(file, synced=False) as draft, ZipFile(draft, "w") as packed:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                method = ZIP_STORED if path.suffix.lower() in _PACKED else ZIP_DEFLATED
                packed.write(path, Path(folder.name) / path.relative_to(folder), compress_type=method)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written ({error.strerror or type(error).__name__})") from error
