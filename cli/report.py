"""The command that makes a job's pages: `cli report`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.context import opened
from cli.shared.terminal import say

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from db.domain.catch import CatchSummary
    from db.settings import Settings
    from worker.report.missed import MissedImages


def report(
    job: Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as `cli status` shows it.", min=1)],
    out: Annotated[Path, typer.Option(help="New folder to write.")],
    max_images: Annotated[
        int, typer.Option(min=0, help="Images at most: the most doubtful, and the surest of each species.")
    ] = 1_000,
    image_px: Annotated[int, typer.Option(min=160, max=4096, help="Longer side of each image, pixels.")] = 960,
    originals: Annotated[bool, typer.Option("--originals", help="Copy the original images in full, too.")] = False,
    zipped: Annotated[
        bool, typer.Option("--zip", help="Write OUT.zip beside the folder, too: one file to send.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Write a job as pages to look at: counts, images with boxes and heat maps, filters; they need no network.

    The folder can be opened from a disk, sent, or put on a web server. It holds small copies of the images.
    """
    from cli.shared.progress import progress_bar
    from worker.report.write import ReportOptions, write_report
    from worker.report.zipped import zip_of

    settings, engine = opened()
    catch, missed = _catch(engine, settings, job), _missed(engine, settings, job)
    options = ReportOptions(max_images=max_images, image_px=image_px, originals=originals, zipped=zipped)
    with progress_bar("images", quiet=as_json) as bar:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        done = write_report(engine, settings, job, out, options, catch=catch, missed=missed, progress=show)
    packed = str(zip_of(out.absolute())) if zipped else None
    if as_json:
        typer.echo(json.dumps({"out": str(out), "zip": packed, **asdict(done)}))
    else:
        typer.echo(f"{out / 'index.html'}: {done.drawn} of {done.images} images drawn, {done.failed} without a result")
        if packed is not None:
            typer.echo(f"{packed}: the same as one file")
        if done.unreadable:
            text = f"  {done.unreadable} images cannot be read here any more; their figures are shown"
            say(text, fg=typer.colors.YELLOW, err=True)
    if done.unreadable:
        raise typer.Exit(1)


def _catch(engine: Engine, settings: Settings, job: int) -> tuple[CatchSummary, ...]:
    """Return the job's figures: of all of it, by camera, and by day; none before the first answer."""
    from annotator.catch.frame import PlanError
    from annotator.catch.summary import summarise_catch
    from db.domain.catch import Grouping

    try:
        return tuple(
            summarise_catch(engine, job, by, label_set=settings.label_set)
            for by in ((), (Grouping.CAMERA,), (Grouping.DAY,))
        )
    except PlanError:
        return ()


def _missed(engine: Engine, settings: Settings, job: int) -> tuple[MissedImages, ...]:
    """Return how many unflagged images of each of a job's models are wrong, as far as people's answers tell."""
    from annotator.estimates.figures import FEWEST_REVIEWS
    from annotator.uncertainty.audit import audit_agreement
    from db.domain.estimates import Estimate
    from db.session import reading
    from db.store.results import models_of_job
    from worker.report.missed import MissedImages

    with reading(engine) as session:
        models = models_of_job(session, job)
    told = []
    for model in models:
        found = audit_agreement(engine, model_version=model, below=settings.flag_below, width=0.1)
        rate, seen = found.missed, found.missed.reviewed
        known = rate.rate is not None and seen >= min(FEWEST_REVIEWS, found.unflagged)
        share = Estimate(rate.rate, rate.low, rate.high) if known and rate.rate is not None else None
        told.append(MissedImages(model, found.unflagged, seen, FEWEST_REVIEWS, share, found.out_of_reach))
    return tuple(told)
