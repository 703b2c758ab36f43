"""How a process of ours is started: nothing that lies in its caller's folder is imported by it, or found by it.

A folder of images may come from a stranger, with a `worker/__init__.py`, a `PIL.py` or a `sitecustomize.py` in it, and
`python -m` would import them from the folder it is started in. So: `-P`, no search path that means the working folder,
and another working folder. Paths that a process is told of are absolute.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping
from pathlib import Path

from db.settings import Settings, environment_of

WORKING_FOLDER = "/"
_PACKAGES = Path(__file__).resolve().parents[2]  # the folder that holds worker/, db/, ...


def own_command(module: str) -> list[str]:
    """Return the command that runs a module of ours; its own words go behind it."""
    return [sys.executable, "-P", "-m", module]


def own_environment(settings: Settings | None = None, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment with these settings, and without search paths that mean the folder one stands in."""
    kept = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    places = _search_places(environment.get("PYTHONPATH", ""))
    return {
        **kept,
        **({"PYTHONPATH": os.pathsep.join(places)} if places else {}),
        **(environment_of(settings) if settings is not None else {}),
    }


def _search_places(python_path: str) -> list[str]:
    """An empty or relative entry means the working folder, whichever that is."""
    named = [place for place in python_path.split(os.pathsep) if os.path.isabs(place)]
    installed = {Path(place).resolve() for place in [*site.getsitepackages(), site.getusersitepackages()]}
    # A source tree that is not installed is found by no interpreter that starts elsewhere.
    return named if _PACKAGES in installed else [str(_PACKAGES), *named]
