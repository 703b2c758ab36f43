"""The command that gives a job's results to other programs: `cli results`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.shared.context import opened
from cli.shared.terminal import say
from worker.results.names import ImagesIn, ResultFormat

if TYPE_CHECKING:
    from worker.results.export import Exported

_SHOWN = 10
Told = TypeVar("Told")


def results(
    job: Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as `cli status` shows it.", min=1)],
    out: Annotated[
        Path,
        typer.Option(help="File to write, replaced if it is there; a new folder for yolo, labelme, ncfm, camtrap-dp."),
    ],
    result_format: Annotated[ResultFormat, typer.Option("--format", help="json holds everything that is known.")],
    truth: Annotated[
        bool,
        typer.Option(
            "--truth/--predicted", help="People's answers first and the model's else, or the model's alone everywhere."
        ),
    ] = True,
    min_confidence: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Fish probability that every box but the surest needs; the model's own rule."),
    ] = None,
    images: Annotated[
        ImagesIn,
        typer.Option(help="How images come into a yolo or labelme folder; hard links share the originals' bytes."),
    ] = ImagesIn.COPY,
    position: Annotated[
        str | None,
        typer.Option(metavar="LAT,LON", help="Where cameras stood whose images do not tell it; camtrap-dp."),
    ] = None,
    utc_offset: Annotated[
        str, typer.Option(metavar="+HH:MM", help="How the cameras' clocks differ from UTC, for camtrap-dp.")
    ] = "Z",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Write what a job's images show for other programs; ends with 1 where an image has no place there.

    Every format holds the same answer: a person's where one decided, else the model's. json and csv hold every image,
    failed and waiting ones too; megadetector holds failed ones; coco, yolo and kaggle hold images with a result.
    docs/results.md describes each format.
    """
    from cli.shared.progress import progress_bar
    from worker.results.export import export_results
    from worker.results.options import ResultOptions
    from worker.results.position import position_from, utc_offset_from

    settings, engine = opened()
    options = ResultOptions(
        result_format,
        min_confidence=min_confidence,
        flag_below=settings.flag_below,
        truth=truth,
        images=images,
        max_file_bytes=settings.max_file_mib * 2**20,
        position=_told(position_from, position) if position is not None else None,
        utc_offset=_told(utc_offset_from, utc_offset),
    )
    with progress_bar("images", quiet=as_json) as bar:
        task = bar.add_task("writing", total=None)
        done = export_results(
            engine,
            job,
            out,
            options,
            default=settings.label_set,
            progress=lambda count, total: bar.update(task, completed=count, total=total),
        )
    tell_exported(done, out, as_json=as_json)
    if done.left_out or done.problems:
        raise typer.Exit(1)


def _told(read: Callable[[str], Told], written: str) -> Told:
    try:
        return read(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def tell_exported(done: Exported, out: Path, *, as_json: bool) -> None:
    """Say what was written and what was not."""
    total = sum(done.by_state.values())
    written = total - done.left_out - len(done.problems)
    if as_json:
        counts = {str(state): count for state, count in done.by_state.items()}
        report = {"out": str(out), "written": written, "images": counts, "problems": done.problems}
        typer.echo(json.dumps({**report, "left_out": total - written}))
        return
    states = ", ".join(f"{count} {state}" for state, count in sorted(done.by_state.items()))
    typer.echo(f"{out}: {written} of {total} images ({states or 'the job is empty'})")
    if done.left_out:
        text = f"  {done.left_out} images without a result have no place in this format; json and csv hold them"
        say(text, fg=typer.colors.YELLOW, err=True)
    for problem in done.problems[:_SHOWN]:
        say(f"  left out: {problem!r}"[:300], fg=typer.colors.YELLOW, err=True)
    if len(done.problems) > _SHOWN:
        say(f"  ... and {len(done.problems) - _SHOWN} more", fg=typer.colors.YELLOW, err=True)
