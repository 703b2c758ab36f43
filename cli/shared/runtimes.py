"""The runtimes that options name: what they may be, and settings that take one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from db.domain.runtimes import Runtime
    from db.settings import Settings

RuntimeName = Annotated[
    str | None,
    typer.Option(
        "--runtime", metavar="NAME", help="What runs the networks, as keras; what this machine chose where not given."
    ),
]


def known_runtime(name: str, *, option: str) -> Runtime:
    """Return a runtime by its name.

    Raises:
        BadParameter: there is none of that name. option: which is told.
    """
    from db.domain.runtimes import Runtime

    known = [runtime.value for runtime in Runtime]
    if name not in known:
        raise typer.BadParameter(f"{option} {name!r}: wanted {', '.join(known)}")
    return Runtime(name)


def with_runtime(settings: Settings, name: str | None) -> Settings:
    """Return settings whose workers serve with this runtime; the same ones where none is named.

    Raises:
        BadParameter: there is none of that name, or its library is not installed here.
    """
    if name is None:
        return settings
    runtime = known_runtime(name, option="--runtime")
    if runtime.needs_openvino:
        from importlib.util import find_spec

        if find_spec("openvino") is None:
            raise typer.BadParameter(f"--runtime {name!r}: pip install 'taffrail-fish[openvino]' first")
    return settings.model_copy(update={"runtime": runtime})
