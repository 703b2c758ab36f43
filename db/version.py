"""Which Taffrail this is. The commands are `cli` and `taffrail`; on PyPI that name is another project's."""

from __future__ import annotations

import importlib.metadata

DISTRIBUTION = "taffrail-fish"


def version() -> str:
    """Return the installed version."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "not installed as a package"
