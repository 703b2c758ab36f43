"""Prints `name==version` of everything that the extras of pyproject.toml bring, as installed in this environment.

    python .ci/constraints.py > constraints.txt

Run it in an environment where `pip install .[every extra]` has just been done (`make constraints`).
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "taffrail-fish"


def pinned(project: str) -> dict[str, str]:
    """Return the installed version of every package that the project and all its extras need, by canonical name."""
    found: dict[str, str] = {}
    extras = distribution(project).metadata.get_all("Provides-Extra") or []
    waiting = [(project, frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            print(f"not installed: {name}", file=sys.stderr)
            continue
        if name != project:
            found[canonicalize_name(name)] = installed.version
        for text in installed.requires or []:
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    return found


if __name__ == "__main__":
    print(
        "# Versions that were tested together on Linux x86-64, Python 3.11; `make constraints` writes this file anew."
    )
    for name, version in sorted(pinned(PROJECT).items()):
        print(f"{name}=={version}")
