"""Bounds what a model file unpacks to before any library unpacks it: a few kilobytes of zip can hold terabytes."""

from __future__ import annotations

import zipfile
from pathlib import Path

from worker.models.errors import ModelFileError

_MOST_BYTES = 8 * 2**30
# Weights are random figures, which no packing makes much smaller; Keras and PyTorch store them as they are.
_MOST_TIMES = 4
_SLACK_BYTES = 16 * 2**20  # names and configurations, which do pack well


def check_unpacked_size(file: Path) -> None:
    """Refuse a zip that unpacks to far more than it holds; what is no zip is the reader's to refuse.

    Raises:
        ModelFileError: it would.
    """
    if not zipfile.is_zipfile(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked_bytes = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ModelFileError(f"{file}: a damaged zip file ({error})") from error
    most_bytes = min(_MOST_BYTES, _MOST_TIMES * file.stat().st_size + _SLACK_BYTES)
    if unpacked_bytes > most_bytes:
        raise ModelFileError(f"{file}: unpacks to {unpacked_bytes} bytes, at most {most_bytes} are; refused")
