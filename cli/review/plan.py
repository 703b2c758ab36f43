"""The command that plans a review: `cli review plan`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.context import end_with, opened

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from annotator.catch.plan import Expected, Proposal
    from annotator.export.write import WrittenExport
    from db.domain.estimates import Estimate
    from db.domain.plans import PlanUnit
    from db.settings import Settings

_CAMERAS_SHOWN = 8
_FIGURES_SHOWN = 5
_BAR_CELLS = 30


def plan_command(
    job: Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as `cli status` shows it.", min=1)],
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Promise to keep: 'BET:20%' for a total within 20 %, 'missed:5%' for wrong answers left; repeatable."
        ),
    ] = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Images to look at.")] = None,
    hours: Annotated[float | None, typer.Option(min=0.01, help="Hours of a person, at the pace measured here.")] = None,
    write: Annotated[Path | None, typer.Option(metavar="DIR", help="New folder to write these images to.")] = None,
    unit: Annotated[
        str, typer.Option(metavar="UNIT", help="What is drawn whole: image, or with a budget or hours day or trip.")
    ] = "image",
    certain_share: Annotated[
        float, typer.Option(min=0, max=0.9, help="Part of a budget for the likeliest wrong, for certain, 0 to 0.9.")
    ] = 0.1,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="New SVG file of what further hours buy.")] = None,
    model: Annotated[str | None, typer.Option(help="Model version; the champion where not given.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the draw; any where not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Say how many images of JOB to look at for a promise, and what each further hour buys.

    With --write the images are drawn with probabilities that are stored before anyone looks, so that cli summary can
    tell figures with honest intervals from them.
    """
    from secrets import randbelow

    from annotator.catch.design import PlanRequest
    from annotator.catch.plan import propose_plan

    settings, engine = opened()
    request = PlanRequest(
        targets=_targets(target or [], budget=budget, hours=hours),
        images=budget,
        hours=hours,
        certain_share=certain_share,
        model_version=model,
        seed=randbelow(2**31) if seed is None else seed,
        unit=_unit(unit, targets=target or []),
    )
    proposal = propose_plan(engine, job, request, label_set=settings.label_set)
    written = None if write is None else _write(engine, write, proposal, settings)
    if plot is not None:
        _write_plot(plot, proposal)
    if as_json:
        typer.echo(json.dumps(_as_json(proposal, written, write)))
    else:
        _tell(proposal, write, written)
    end_with(written.problems if written is not None else (), told=as_json)


def _unit(text: str, *, targets: list[str]) -> PlanUnit:
    from db.domain.plans import PlanUnit

    if text not in set(PlanUnit):
        raise typer.BadParameter(f"--unit {text!r} is none of {', '.join(PlanUnit)}")
    if PlanUnit(text) is not PlanUnit.IMAGE and targets:
        raise typer.BadParameter(
            f"--unit {text} goes with --budget or --hours: how alike the errors of a {text} are, only its review tells"
        )
    return PlanUnit(text)


def _targets(texts: list[str], *, budget: int | None, hours: float | None) -> Any:
    from db.domain.plans import target_from

    if sum((bool(texts), budget is not None, hours is not None)) != 1:
        raise typer.BadParameter("wanted one of --target, --budget and --hours")
    try:
        return tuple(target_from(text) for text in texts)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _write(engine: Engine, folder: Path, proposal: Proposal, settings: Settings) -> WrittenExport:
    from annotator.catch.plan import write_plan
    from annotator.export.export_flagged import ReviewExportOptions
    from cli.review.fetch import fetch_url

    options = ReviewExportOptions(proposal.design.images, 0.0, settings.label_set, fetch=fetch_url)
    return write_plan(engine, folder, proposal, options)


def _write_plot(file: Path, proposal: Proposal) -> None:
    from annotator.catch.plots import draw_curve
    from worker.results.files import new_file

    with new_file(file) as out:
        out.write(draw_curve(proposal))


def _tell(proposal: Proposal, folder: Path | None, written: WrittenExport | None) -> None:
    design, pace = proposal.design, proposal.pace
    typer.echo(
        f"job {proposal.frame.job_id}, model {proposal.frame.model_version}: {proposal.free} images to choose from, "
        f"{proposal.decided} decided on before"
    )
    paced = f"{pace.seconds:.0f} s an image, {'measured' if pace.gaps else 'assumed'}"
    chosen = f"{design.certain} likeliest wrong, {design.drawn} by chance"
    if design.units:
        chosen = f"{design.units} whole {design.unit}s by chance"
    typer.echo(f"look at {design.images} images ({chosen}): {pace.hours(design.images):.1f} h at {paced}")
    if design.units:
        typer.echo(f"the widths below are of images drawn one by one; those of whole {design.unit}s are wider")
    if design.images == proposal.free and proposal.targets:
        typer.echo("nothing less than all of them reaches the target")
    for name, total in list(proposal.expected.totals.items())[:_FIGURES_SHOWN]:
        typer.echo(f"  {name}: about {total.value:.0f} fish, expected within {total.low:.0f} to {total.high:.0f}")
    missed = proposal.expected.missed
    unseen = proposal.free - design.images
    typer.echo(f"  wrong among the {unseen} left: about {missed.value:.1%}, expected within {_percents(missed)}")
    cameras = [f"{name} {count}" for name, count in proposal.by_camera.items()]
    more = len(cameras) - _CAMERAS_SHOWN
    typer.echo(f"cameras: {', '.join(cameras[:_CAMERAS_SHOWN])}" + (f" and {more} others" if more > 0 else ""))
    _tell_curve(proposal)
    if written is None:
        typer.echo(f"next: the same with --write DIR draws them (--seed {design.seed} for these very images)")
    else:
        typer.echo(f"{folder}: {len(written.items)} images to look at; next: cli review open {folder}")


def _tell_curve(proposal: Proposal) -> None:
    """Show what fewer and more images buy: a line a size, a bar the first figure's half-width."""
    names = list(proposal.expected.totals)[:_FIGURES_SHOWN]
    heads = "".join(f"{f'{name} +-':>10}" for name in names)
    typer.echo(f"{'images':>8}{'hours':>8}{heads}{'missed to':>11}")
    for point in proposal.curve:
        widths = "".join(f"{_relative(point.totals[name]):>10}" for name in names)
        told = f"{point.images:>8}{proposal.pace.hours(point.images):>8.1f}{widths}{point.missed.high:>11.1%}"
        typer.echo(f"{told}  {_bar(point, names)}")


def _bar(point: Expected, names: list[str]) -> str:
    from math import isfinite

    from annotator.plans.forecast import relative_half_width

    share = relative_half_width(point.totals[names[0]]) if names else point.missed.high
    return "#" * max(1, round(_BAR_CELLS * min(share, 1.0))) if isfinite(share) else ""


def _relative(total: Estimate) -> str:
    if total.value <= 0.0:
        return "-"
    return f"{total.half_width / total.value:.0%}" if total.half_width < total.value else "over 100%"


def _percents(share: Estimate) -> str:
    return f"{share.low:.1%} to {share.high:.1%}"


def _as_json(proposal: Proposal, written: WrittenExport | None, folder: Path | None) -> dict[str, object]:
    return {
        "job": proposal.frame.job_id,
        "model": proposal.frame.model_version,
        "targets": [str(target) for target in proposal.targets],
        "free": proposal.free,
        "decided": proposal.decided,
        "images": proposal.design.images,
        "certain": proposal.design.certain,
        "drawn": proposal.design.drawn,
        "unit": proposal.design.unit,
        "units": proposal.design.units,
        "seed": proposal.design.seed,
        "hours": proposal.pace.hours(proposal.design.images),
        "seconds_per_image": proposal.pace.seconds,
        "seconds_measured": proposal.pace.gaps > 0,
        "by_camera": proposal.by_camera,
        "expected": _expected_json(proposal.expected),
        "curve": [_expected_json(point) for point in proposal.curve],
        "export": written.export_id if written is not None else None,
        "folder": str(folder) if folder is not None else None,
        "problems": list(written.problems) if written is not None else [],
    }


def _expected_json(point: Expected) -> dict[str, object]:
    from dataclasses import asdict

    totals = {name: asdict(total) for name, total in point.totals.items()}
    return {"images": point.images, "totals": totals, "missed": asdict(point.missed)}
