"""The command that shows what a layer of a model makes of an image: `cli models look`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.shared.context import opened


def look(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model version's id.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", exists=True, dir_okay=False, help="An image file.")],
    layer: Annotated[
        str, typer.Option(help="A layer's name; a wrong one is answered with those most like it.")
    ] = "hires_maps",
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("channels.png"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Show what a layer makes of an image: a grid of its channels, the most varied 63.

    The last layers of the heat-map head, such as hires_maps, have one channel a species.
    """
    from db.progress import no_stage_progress
    from worker.steps.requests import LOOK_INSIDE, LookRequest
    from worker.steps.step_process import run_step

    opened()
    request = LookRequest(model=model, image=str(image.absolute()), layer=layer, out=out.absolute())
    done = run_step(LOOK_INSIDE, request, progress=no_stage_progress)
    if as_json:
        typer.echo(done.as_json())
        return
    rows, columns, channels = done.shape
    typer.echo(f"{layer}: {channels} channels of {rows} x {columns} cells, {done.drawn} of them in {out}")
