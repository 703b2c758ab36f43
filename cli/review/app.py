"""The commands of a review: export the doubtful images, open them in labelme, import what people did."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.review.export import export_command
from cli.review.plan import plan_command
from cli.review.quick import quick_command
from cli.review.simulate import simulate_command
from cli.shared.context import end_with, model_or_champion, opened

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from annotator.corrections.import_corrections import ImportSummary
    from annotator.uncertainty.calibrate import ErrorCalibration

app = typer.Typer(help="Show people the doubtful images in labelme, and learn what they say.", no_args_is_help=True)
app.command("export")(export_command)
app.command("plan")(plan_command)
app.command("quick")(quick_command)

_SHOWN_SIZES = 10

ReviewerOption = Annotated[
    str | None, typer.Option("--reviewer", help="Who reviewed; the name of this machine's user where not given.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@app.command("open")
def open_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `cli review export` wrote.")],
    reviewer: ReviewerOption = None,
) -> None:
    """Start labelme on DIR with our flags and species, and import what was done when it is closed."""
    from annotator.labelme.open import open_labelme

    code = open_labelme(folder)
    if code:
        typer.echo(f"labelme ended with exit code {code}; what it saved is imported", err=True)
    _import(folder, reviewer=reviewer, images=None, as_json=False)


@app.command("import")
def import_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Reviewed folder, or labelme's --output folder.")],
    reviewer: ReviewerOption = None,
    images: Annotated[
        Path | None, typer.Option(help="Where the images lie, if labelme saved elsewhere and they moved.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Store what people did in DIR; safe to repeat, odd files are named and left out.

    What they said also moves the chance to be wrong, by which export chooses.
    """
    _import(folder, reviewer=reviewer, images=images, as_json=as_json)


@app.command("calibrate")
def calibrate_command(
    model: Annotated[str | None, typer.Option(help="Model version; the champion where not given.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the chance that an image is wrong on what people answered; export then shows the likeliest first."""
    engine = opened()[1]
    version = model_or_champion(engine, model)
    found = _calibrate_with_bar(engine, version, quiet=as_json)
    if as_json:
        typer.echo(json.dumps({"model": version, **asdict(found)}))
        return
    fitted, rule = found.fitted, found.rule
    typer.echo(f"model {version}: {found.answers} answers of {found.cameras} cameras, {found.wrong} to wrong images")
    for name, one in (("fitted", fitted), ("agreement alone", rule)):
        typer.echo(
            f"  {name}, on cameras not fitted on: log loss {one.log_loss:.3f}, "
            f"calibration error {one.calibration_error:.3f}, ranking {one.ranking:.3f}"
        )
    typer.echo("the fit ranks from now on" if found.fit else "agreement alone is as good and ranks from now on")


@app.command("people")
def people_command(as_json: JsonOption = False) -> None:
    """Report where several people answered the same images differently."""
    from annotator.corrections.reviewers import compare_reviewers
    from db.session import reading
    from db.store.reviews import answers_by_reviewer

    with reading(opened()[1]) as session:
        found = compare_reviewers(answers_by_reviewer(session))
    if as_json:
        confusion = [{"species": pair, "times": times} for pair, times in found.confusion.items()]
        typer.echo(json.dumps({**asdict(found), "confusion": confusion}))
        return
    typer.echo(f"{found.images} images were answered by several people; {found.agreeing} of {found.pairs} pairs agree")
    for (first, second), times in sorted(found.confusion.items(), key=lambda one: -one[1]):
        if first != second:
            typer.echo(f"  {first} against {second}: {times}")
    if found.mean_iou is not None:
        typer.echo(f"boxes around the same fish: mean IoU {found.mean_iou:.2f}")
    if found.open_cases:
        typer.echo(f"{len(found.open_cases)} still open; next: cli review export DIR --open-cases")


app.command("simulate")(simulate_command)


def _import(folder: Path, *, reviewer: str | None, images: Path | None, as_json: bool) -> None:
    from annotator.corrections.import_corrections import import_reviews
    from cli.shared.progress import progress_bar

    settings, engine = opened()
    with progress_bar("files", quiet=as_json) as bar:
        task = bar.add_task("reading", total=None)
        summary = import_reviews(
            folder,
            engine=engine,
            label_set=settings.label_set,
            reviewer=getpass.getuser() if reviewer is None else reviewer,
            images=images,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    ranked = [model for model in summary.models if summary.added and _ranks_anew(engine, model, quiet=as_json)]
    sizes = _hold_what_is_said(engine, summary.models) if summary.added else {}
    _report_import(summary, ranked=ranked, sizes=sizes, as_json=as_json)


def _ranks_anew(engine: Engine, model: str, *, quiet: bool) -> bool:
    from annotator.uncertainty.calibrate import TooFewAnswers

    try:
        return _calibrate_with_bar(engine, model, quiet=quiet).fit is not None
    except TooFewAnswers:
        return False


def _calibrate_with_bar(engine: Engine, model: str, *, quiet: bool) -> ErrorCalibration:
    from annotator.uncertainty.fit import calibrate_error_probability
    from cli.shared.progress import progress_bar

    with progress_bar("predictions", quiet=quiet) as bar:
        task = bar.add_task("ranking", total=None)
        return calibrate_error_probability(
            engine,
            model_version=model,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _hold_what_is_said(engine: Engine, models: Sequence[str]) -> dict[str, float]:
    """Return the fish sizes of cameras that these answers told or changed, pixels of the nominal frame.

    What they say of the models' boxes on each camera is held, too.
    """
    from db.session import transaction
    from db.store.box_shifts import refresh_box_shifts
    from db.store.fish_sizes import sizes_from_labels

    with transaction(engine) as session:
        for model in models:
            refresh_box_shifts(session, model)
        return {camera: size.fish_px for camera, size in sizes_from_labels(session).items()}


def _report_import(summary: ImportSummary, *, ranked: list[str], sizes: dict[str, float], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**asdict(summary), "ranked_anew": ranked, "fish_sizes": sizes}))
    else:
        typer.echo(f"{summary.files} files: {summary.added} new answers, {summary.repeated} known before")
        for name, times in (*summary.outcomes.items(), *summary.changes.items()):
            typer.echo(f"  {name.value}: {times}")
        if summary.duplicates:
            typer.echo(f"  near-duplicates answered by these: {summary.duplicates}")
        for model in ranked:
            typer.echo(f"what waits for a person is ranked anew by these answers (model {model})")
        for camera, fish_px in sorted(sizes.items())[:_SHOWN_SIZES]:
            typer.echo(f"camera {camera}: fish of {fish_px:.0f} pixels in a frame of 640 x 360, by the boxes on it")
        if sizes:
            typer.echo("where that changes what the network is shown, cli enqueue DIR --stale asks again")
    end_with(summary.problems, told=as_json)
