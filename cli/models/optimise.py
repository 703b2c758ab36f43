"""The command that chooses the fastest runtime which loses nothing: `cli models optimise`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened
from cli.shared.runtimes import known_runtime
from cli.shared.steps import run_with_bar

if TYPE_CHECKING:
    from db.domain.runtimes import RuntimeChoice


def optimise(
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="The model version's id.")] = "champion",
    runtimes: Annotated[
        str, typer.Option(help="Runtimes to compare with keras, with commas; all where not given.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Compare the runtimes with Keras, in time on this machine and on held-out cameras, and serve with the best.

    Workers that start from now on take the fastest one that loses at most 0.2 points of balanced accuracy, 0.01 of IoU
    and 0.005 of log loss. Machines of another kind choose their own. TAFFRAIL_RUNTIME and --runtime override
    the choice.
    """
    from worker.steps.requests import OPTIMISE, OptimiseRequest

    opened()
    names = [name.strip() for name in runtimes.split(",") if name.strip()]
    request = OptimiseRequest(model=model, runtimes=tuple(known_runtime(name, option="--runtimes") for name in names))
    done = run_with_bar(OPTIMISE, request, quiet=as_json)
    if as_json:
        typer.echo(done.as_json())
        return
    for line in figure_lines(done.choice):
        typer.echo(line)
    typer.echo(f"model {done.model} is served by {done.choice.runtime} on machines of this kind ({done.file})")


def figure_lines(choice: RuntimeChoice) -> list[str]:
    """Return a table of the runtimes that were compared."""
    lines = [f"{'runtime':16} {'ms an image':>12} {'ms a crop':>10} {'balanced':>9} {'IoU':>7} {'log loss':>9}"]
    for one in choice.figures:
        if one.problem:
            lines.append(f"{one.runtime:16} {one.problem}")
            continue
        # Less than nothing lost is shown as a gain; 0.0 - x has no negative zero.
        gains = f"{0.0 - one.balanced_accuracy_lost:+9.4f} {0.0 - one.iou_lost:+7.3f} {one.log_loss_gained + 0.0:+9.4f}"
        lines.append(f"{one.runtime:16} {one.image_ms:12.1f} {one.crop_ms:10.2f} {gains}")
    return [*lines, f"{choice.images} images of cameras it has not seen, {choice.crops:g} boxes an image"]
