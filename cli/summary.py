"""The command that tells a job's catch figures: `cli summary`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.domain.catch import CatchFigure, CatchSummary, Grouping, MissedFigure, PlanState

_NOT_HAD = "cannot be had"
_MOST_ROWS = 200


def summary(
    job: Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as `cli status` shows it.", min=1)],
    by: Annotated[
        str, typer.Option(metavar="NAMES", help="Groups, with commas between: camera, day, trip, species.")
    ] = "species",
    model: Annotated[
        str | None, typer.Option(help="Model version, before there is a plan; the champion where not given.")
    ] = None,
    count: Annotated[
        str | None,
        typer.Option(metavar="UNIT", help="animals (where events were found, else fish) or fish: in each image."),
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="New CSV file of all figures.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="New SVG file of all figures.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Tell how many fish of each species JOB holds, with 95 % intervals, from a reviewed plan.

    Where `cli events find` made events, every animal counts once. Else images count: who stays in view for ten images
    is counted ten times. A figure that cannot be had is said to be so.
    """
    from annotator.catch.summary import summarise_catch

    settings, engine = opened()
    found = summarise_catch(
        engine, job, _groupings(by), label_set=settings.label_set, model_version=model, animals=_animals(count)
    )
    if csv_file is not None:
        _write_csv(csv_file, found)
    if plot is not None:
        _write_plot(plot, found)
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps(asdict(found)))
    else:
        _tell(found)


def _animals(count: str | None) -> bool:
    if count not in (None, "animals", "fish"):
        raise typer.BadParameter(f"--count {count!r} is none of animals, fish")
    return count != "fish"


def _groupings(text: str) -> tuple[Grouping, ...]:
    from db.domain.catch import Grouping

    names = [name.strip() for name in text.split(",") if name.strip()]
    odd = [name for name in names if name not in set(Grouping)]
    if odd or not names:
        known = ", ".join(Grouping)
        raise typer.BadParameter(f"--by {text!r}: {odd[0] if odd else 'nothing'} is none of {known}")
    return tuple(dict.fromkeys(Grouping(name) for name in names))


def _tell(found: CatchSummary) -> None:
    typer.echo(f"job {found.job_id}, model {found.model_version}: {found.images} images")
    share = found.decided / found.images
    pace = f"{found.seconds_per_image:.0f} s an image, {'measured' if found.measured else 'assumed'}"
    typer.echo(f"people decided on {found.decided} ({share:.1%}), about {found.hours:.1f} h at {pace}")
    if found.plan is not None:
        _tell_plan(found.plan)
    for note in found.notes:
        typer.echo(f"note: {note}")
    counted = "every animal once, by its events" if found.counts == "animals" else "fish in each image, not animals"
    typer.echo(f"counted: {counted}")
    _tell_figures(found)
    _tell_missed(found)
    if not found.by:
        for figure, cameras in found.contributions.items():
            if cameras:
                told = ", ".join(f"{name} {part:.0%}" for name, part in cameras)
                typer.echo(f"{figure}'s interval comes from: {told}")
    if found.more_to_halve:
        hours = found.more_to_halve * found.seconds_per_image / 3600.0
        typer.echo(f"{found.more_to_halve} more images ({hours:.1f} h) would halve the job's intervals")


def _tell_plan(plan: PlanState) -> None:
    typer.echo(
        f"plan {plan.plan_id}: {plan.answered} of {plan.images} images answered "
        f"({plan.certain} likeliest wrong, {plan.drawn} by chance)"
    )
    for target in plan.targets:
        found = "no figure yet" if target.found is None else f"{target.found:.1%}"
        more = f", about {target.more} more images" if target.more else ""
        typer.echo(f"target {target.target}: {'reached' if target.reached else f'not reached{more}'} ({found})")


def _tell_figures(found: CatchSummary) -> None:
    shown = [one for one in found.figures if not found.by or one.model or one.said][:_MOST_ROWS]
    names = [" ".join((*one.group, one.figure)) for one in shown]
    width = max([20, *map(len, names)])
    typer.echo(f"{'':<{width}}{'images':>8}{'decided':>9}{'model':>8}{'said':>8}{'estimate':>10}  95 % interval")
    for name, one in zip(names, shown, strict=True):
        counts = f"{one.images:>8}{one.decided:>9}{one.model:>8.0f}{one.said:>8.0f}"
        typer.echo(f"{name:<{width}}{counts}{_estimated(one)}")
    left = len(found.figures) - len(shown)
    if left:
        typer.echo(f"{left} figures are not shown, of species that neither model nor people named there; --csv has all")


def _estimated(one: CatchFigure) -> str:
    if one.estimate is None:
        return f"{'-':>10}  {_NOT_HAD}: {one.reviewed} images of the plan reviewed there"
    return f"{one.estimate.value:>10.0f}  {one.estimate.low:.0f} to {one.estimate.high:.0f}"


def _tell_missed(found: CatchSummary) -> None:
    for one in found.missed[:_MOST_ROWS]:
        where = f"{' '.join(one.group)}: " if one.group else ""
        typer.echo(f"{where}wrong among the {one.unseen} images nobody looked at: {_missed_text(one)}")


def _missed_text(one: MissedFigure) -> str:
    if one.share is None:
        return f"{_NOT_HAD}; {one.reviewed} images of the plan reviewed there"
    return f"{one.share.value:.1%} ({one.share.low:.1%} to {one.share.high:.1%})"


def _write_csv(file: Path, found: CatchSummary) -> None:
    from worker.results.as_csv import harmless
    from worker.results.files import new_file

    with new_file(file) as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(
            [*found.by, "species", "images", "decided", "reviewed", "model", "said", "estimate", "low", "high"]
        )
        for one in found.figures:
            rows.writerow([*map(harmless, one.group), harmless(one.figure), *_csv_cells(one)])


def _csv_cells(one: CatchFigure) -> Sequence[object]:
    had = one.estimate
    estimate = ["", "", ""] if had is None else [round(value, 3) for value in (had.value, had.low, had.high)]
    return [one.images, one.decided, one.reviewed, one.model, one.said, *estimate]


def _write_plot(file: Path, found: CatchSummary) -> None:
    from annotator.catch.plots import draw_figures
    from worker.results.files import new_file

    with new_file(file) as out:
        out.write(draw_figures(found))
