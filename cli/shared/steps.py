"""Options and progress that the commands of long steps share."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.terminal import say

if TYPE_CHECKING:
    from worker.steps.requests import LearntFrom, Q, R, Step

_SHOWN = 10


def _absolute_weights(text: str) -> str:
    """Return weights as a step can find them: it works in another folder."""
    return text if text in ("imagenet", "random") else os.path.abspath(text)


# Options of every command that trains networks.
Trunk = Annotated[str, typer.Option(help="The pretrained network; `cli models --help` tells of each.")]

Weights = Annotated[
    str, typer.Option(help="imagenet, random, or a file of the trunk's weights.", callback=_absolute_weights)
]

Size = Annotated[str, typer.Option(help="Rows x columns of the network's input, pixels.")]

Epochs = Annotated[
    int | None, typer.Option(min=1, help="Times to go through all images; by their number where not given.")
]


def run_with_bar(step: Step[Q, R], request: Q, *, quiet: bool) -> R:
    """Return the result of a step in a process of its own, with a bar for each of its stages."""
    from cli.shared.progress import stage_bars
    from worker.steps.step_process import run_step

    with stage_bars(quiet=quiet) as show:
        return run_step(step, request, progress=show)


def tell_left_out(done: LearntFrom) -> None:
    """Name the labelled images that a training went on without, and those whose labels it repaired."""
    for file, reason in done.unreadable[:_SHOWN]:
        say(f"  left out: {file}: {reason}", fg=typer.colors.YELLOW, err=True)
    if done.unreadable:
        kinds = Counter(reason.partition(":")[0] for _file, reason in done.unreadable)
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        say(f"  {len(done.unreadable)} labelled images could not be learnt from ({counted})", err=True)
    for file, text in done.repaired[:_SHOWN]:
        typer.echo(f"  repaired: {file}: {text}", err=True)
    if len(done.repaired) > _SHOWN:
        typer.echo(f"  {len(done.repaired)} labels were repaired", err=True)


def rows_columns(size: str) -> tuple[int, int]:
    """Return the rows and columns of `360x640`."""
    try:
        rows, columns = (int(part) for part in size.lower().split("x"))
    except ValueError:
        raise typer.BadParameter(f"--size {size!r}: wanted rows x columns, such as 360x640") from None
    if not (32 <= rows <= 4096 and 32 <= columns <= 4096):
        raise typer.BadParameter(f"--size {size!r}: wanted 32 to 4096 rows and columns")
    return rows, columns
