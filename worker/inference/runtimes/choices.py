"""Which runtime this kind of machine serves a model version with: HOME/runtimes/<model>/<machine>.json."""

from __future__ import annotations

import hashlib
import platform
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from db.domain.runtimes import Runtime, RuntimeChoice
from db.settings import Settings
from db.whole_files import write_whole
from worker.delivery.devices import list_cards
from worker.inference.runtimes.compile import ServedBy


def machine_kind() -> str:
    """Return what tells machines apart that would choose differently: the processor's name and abilities, the cards.

    Ten hexadecimal digits after the architecture.
    """
    parts = [platform.machine(), *_processor(), *list_cards()]
    return f"{platform.machine()}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:10]}"


def served_by(settings: Settings, model_version: str, sha256: str) -> ServedBy:
    """Return what this machine serves a model version with: the setting's runtime, else the chosen one, else Keras."""
    chosen = read_choice(settings.home, model_version)
    runtime = settings.runtime or (chosen.runtime if chosen is not None else Runtime.KERAS)
    return ServedBy(runtime, prepared_folder(settings.home, sha256))


def chooses_by_itself(settings: Settings, model_version: str) -> bool:
    """Return whether a runtime is to be chosen without being asked for: one is installed, and none is chosen or set."""
    wanted = settings.choose_runtime and settings.runtime is None and find_spec("openvino") is not None
    return wanted and read_choice(settings.home, model_version) is None


def prepared_folder(home: Path, sha256: str) -> Path:
    """Return where converted graphs of a model file are kept."""
    return home / "runtimes" / "graphs" / sha256[:16]


def read_choice(home: Path, model_version: str) -> RuntimeChoice | None:
    """Return what was chosen on this kind of machine; None where nothing was, or it cannot be read any more."""
    try:
        return RuntimeChoice.model_validate_json(_file(home, model_version).read_bytes())
    except (OSError, ValidationError):
        return None


def keep_choice(home: Path, model_version: str, choice: RuntimeChoice) -> Path:
    """Return the file that a choice was written to.

    Raises:
        OSError: it cannot be written.
    """
    file = _file(home, model_version)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(file, choice.model_dump_json(indent=1).encode())
    return file


def _file(home: Path, model_version: str) -> Path:
    return home / "runtimes" / model_version / f"{machine_kind()}.json"


def _processor() -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return [platform.processor()]
    told = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in lines if ":" in line}
    return [told.get("model name", ""), told.get("flags", told.get("Features", ""))]
