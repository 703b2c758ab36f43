"""The command that compares a job's boxes with those of another detector."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.terminal import say

if TYPE_CHECKING:
    from annotator.uncertainty.other_detector import BoxCounts, DetectorComparison

_SHOWN = 10


def audit_detector_command(
    job: Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as `cli status` shows it.", min=1)],
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What MegaDetector, or a program like it, wrote.")],
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Confidence that a box of the file needs.")] = 0.2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Compare the final boxes of JOB with those in a MegaDetector file, whatever their species; nothing is stored.

    Where both box a fish it is there for sure; images where one boxes more than the other are worth a look.
    """
    from annotator.uncertainty.other_detector import compare_with_detector
    from cli.shared.context import opened
    from db.session import reading
    from db.store.jobs import get_job
    from db.store.results import iterate_results

    settings, engine = opened()
    with reading(engine) as session:
        root = get_job(session, job).root
    found = compare_with_detector(
        iterate_results(engine, job), path, root=root, label_set=settings.label_set, least=min_confidence
    )
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        _tell(found, path)
    if found.problems:
        raise typer.Exit(1)


def _tell(found: DetectorComparison, path: Path) -> None:
    typer.echo(f"{found.images} images are in both; {found.unnamed} of the job are not in {path.name}")
    typer.echo(f"all: {_words(found.boxes)}")
    for camera, boxes in found.by_camera.items():
        typer.echo(f"  {camera}: {_words(boxes)}")
    if found.differing:
        typer.echo(f"they differ in {len(found.differing)} images, most in:")
    for one in found.differing[:_SHOWN]:
        typer.echo(f"  {one.file}: {_words(one.boxes)}")
    for problem in found.problems[:_SHOWN]:
        say(f"  left out: {problem}", fg=typer.colors.YELLOW, err=True)
    if len(found.problems) > _SHOWN:
        say(f"  and {len(found.problems) - _SHOWN} more; --json has all", fg=typer.colors.YELLOW, err=True)


def _words(boxes: BoxCounts) -> str:
    return f"{boxes.both} fish boxed by both, {boxes.only_job} by the job alone, {boxes.only_file} by the file alone"
