"""The command that makes a job's pages: `cli report`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.shared.context import opened


def report(
    job: Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as `cli status` shows it.", min=1)],
    out: Annotated[Path, typer.Option(help="New folder to write.")],
    max_images: Annotated[
        int, typer.Option(min=0, help="Images at most: the most doubtful, and the surest of each species.")
    ] = 1_000,
    image_px: Annotated[int, typer.Option(min=160, max=4096, help="Longer side of each image, pixels.")] = 640,
    originals: Annotated[bool, typer.Option("--originals", help="Copy the original images in full, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Write a job as pages to look at: counts, images with boxes and heat maps, filters; they need no network.

    The folder can be opened from a disk, sent, or put on a web server. It holds small copies of the images.
    """
    from cli.shared.progress import progress_bar
    from worker.report.write import ReportOptions, write_report

    settings, engine = opened()
    options = ReportOptions(max_images=max_images, image_px=image_px, originals=originals)
    with progress_bar("images", quiet=as_json) as bar:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        done = write_report(engine, settings, job, out, options, progress=show)
    if as_json:
        typer.echo(json.dumps({"out": str(out), **asdict(done)}))
    else:
        typer.echo(f"{out / 'index.html'}: {done.drawn} of {done.images} images drawn, {done.failed} without a result")
        if done.unreadable:
            text = f"  {done.unreadable} images cannot be read here any more; their figures are shown"
            typer.secho(text, fg=typer.colors.YELLOW, err=True)
    if done.unreadable:
        raise typer.Exit(1)
