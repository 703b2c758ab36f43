"""How this kind of machine serves a model version fastest: HOME/runtimes/<model>/<machine>.pace.json."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from db.domain.serving_pace import ServingPace
from db.settings import Settings
from db.whole_files import write_whole
from worker.inference.runtimes.choices import machine_kind


def usual_decode_threads() -> int:
    """Return how many threads decode where nothing was tried."""
    return max(2, min(8, os.cpu_count() or 2))


def paced(settings: Settings, model_version: str) -> Settings:
    """Return settings with the network batch that was found for this machine; a batch that the user set stays."""
    if "network_batch" in settings.model_fields_set:
        return settings
    found = read_pace(settings.home, model_version)
    return settings if found is None else settings.model_copy(update={"network_batch": found.network_batch})


def decode_threads(settings: Settings, model_version: str) -> int:
    """Return how many threads are to decode and cut crops for a model version on this machine."""
    found = read_pace(settings.home, model_version)
    return usual_decode_threads() if found is None else found.decode_threads


def read_pace(home: Path, model_version: str) -> ServingPace | None:
    """Return what was found on this kind of machine; None where nothing was, or it cannot be read any more."""
    try:
        return ServingPace.model_validate_json(pace_file(home, model_version).read_bytes())
    except (OSError, ValidationError):
        return None


def keep_pace(home: Path, model_version: str, pace: ServingPace) -> Path:
    """Return the file that it was written to.

    Raises:
        OSError: it cannot be written.
    """
    file = pace_file(home, model_version)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(file, pace.model_dump_json(indent=1).encode())
    return file


def pace_file(home: Path, model_version: str) -> Path:
    """Return where it is kept for this kind of machine."""
    return home / "runtimes" / model_version / f"{machine_kind()}.pace.json"
