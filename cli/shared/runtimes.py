"""The runtimes that options name: what they may be, and settings that take one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.steps import run_with_bar
from cli.shared.terminal import say

if TYPE_CHECKING:
    from db.domain.runtimes import Runtime, RuntimeChoice
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


def choose_runtime(settings: Settings, model: str) -> None:
    """Choose what this machine serves a model with, where that is to be done unasked, and tell it in one line."""
    from db.errors import TaffrailError
    from db.one_line import first_line
    from worker.inference.runtimes.choices import chooses_by_itself
    from worker.steps.requests import OPTIMISE, OptimiseRequest

    if not chooses_by_itself(settings, model):
        return
    try:
        done = run_with_bar(OPTIMISE, OptimiseRequest.at_once(model), quiet=False)
    except TaffrailError as error:
        say(f"no runtime is chosen, keras serves: {first_line(error)}", fg=typer.colors.YELLOW, err=True)
        return
    typer.echo(runtime_line(done.choice))


def runtime_line(choice: RuntimeChoice) -> str:
    """Say what a machine serves a model with, and what that saves."""
    from db.domain.runtimes import Runtime

    costs = {one.runtime: one.image_ms + choice.crops * one.crop_ms for one in choice.figures if one.problem is None}
    line = (
        f"{choice.runtime} serves it on machines of this kind: {costs[choice.runtime]:.0f} ms of a processor an image"
    )
    if choice.runtime is not Runtime.KERAS:
        line += f", keras {costs[Runtime.KERAS]:.0f}"
    return f"{line} (by {choice.images} held-out images; `cli models optimise` compares more)"
