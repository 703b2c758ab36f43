"""Writes a job's report: counts, chooses, draws, and renders the pages."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from sqlalchemy import Engine

from db.domain.catch import CatchSummary
from db.domain.jobs import Job
from db.domain.results import ImageResult
from db.domain.species import NO_FISH, LabelSet
from db.progress import StageProgress, no_stage_progress
from db.session import reading
from db.settings import Settings
from db.store.caveats import said_of_cameras, said_of_images
from db.store.compared_models import ComparedAnswers, answers_by_model
from db.store.error_probabilities import refresh_error_probabilities
from db.store.events import events_of_job, sightings_of_events
from db.store.jobs import get_job
from db.store.model_versions import said_against
from db.store.results import iterate_results, label_set_of_models, models_of_job
from worker.report.compared import compared_pairs
from worker.report.data_files import write_data
from worker.report.draw import Drawn, DrawOptions, draw_images
from worker.report.events import camera_days
from worker.report.gallery import failure_entry
from worker.report.missed import MissedImages
from worker.report.pages import render_catch, render_events, render_images, render_overview, render_review
from worker.report.summary import Summary, summarise
from worker.report.zipped import zip_folder, zip_of
from worker.results.files import new_folder

_ASSETS = ("report.css", "report.js")


@dataclass(frozen=True)
class ReportOptions:
    """max_images: images drawn. image_px: the longer side of each; crops are cut from them when a page shows one.

    originals: whether they are copied in full. zipped: whether one zip is written beside the folder.
    """

    max_images: int = 1_000
    image_px: int = 960
    originals: bool = False
    zipped: bool = False
    processes: int | None = None


@dataclass(frozen=True)
class Report:
    """What was written: images of the job, those drawn, and those that could not be read any more."""

    images: int
    drawn: int
    unreadable: int
    failed: int


def write_report(
    engine: Engine,
    settings: Settings,
    job_id: int,
    out: Path,
    options: ReportOptions,
    *,
    catch: Sequence[CatchSummary] = (),
    missed: Sequence[MissedImages] = (),
    progress: StageProgress = no_stage_progress,
) -> Report:
    """Return what was written; the folder appears when it is complete.

    catch: the job's figures for their page, of the whole job first, then by groups. missed: of each of its models.

    Raises:
        NotFoundError: no such job. OutputError: out is there already or cannot be written. ReportError: drawing died.
    """
    with reading(engine) as session:
        job = get_job(session, job_id)
    with new_folder(out) as folder:
        (folder / "images").mkdir()
        (folder / "heat").mkdir()
        if options.originals:
            (folder / "originals").mkdir()
        with reading(engine) as session:
            models = models_of_job(session, job_id)
        for model in models:
            refresh_error_probabilities(engine, model)
        counted = _counted(iterate_results(engine, job_id), job.counts.total, progress)
        summary = summarise(counted, max_images=options.max_images, flag_below=settings.flag_below)
        with reading(engine) as session:
            summary.said_against += said_against(session, models)
            summary.said_against += [line for model in models for line in said_of_cameras(session, job_id, model)]
            summary.said_against += said_of_images(session, job_id)
            events, sightings = events_of_job(session, job_id), sightings_of_events(session, job_id)
        # Each animal is shown by its best image, however sure it is.
        summary.chosen = sorted({*summary.chosen, *(event.best.item_id for event in events)})
        wanted = DrawOptions(options.image_px, options.originals, options.processes)
        drawn = draw_images(engine, settings, job, summary.chosen, folder, wanted, progress=progress)
        drawn.entries += [failure_entry(result) for result in summary.failed]
        with reading(engine) as session:
            label_set = label_set_of_models(session, models, default=settings.label_set)
            compared = answers_by_model(session, job_id)
        nonce = secrets.token_urlsafe(16)
        _write_pages(folder, job, summary, label_set, drawn, compared, catch=catch, missed=missed, nonce=nonce)
        page = render_events(job, camera_days(events, sightings, folder), events, nonce=nonce)
        (folder / "events.html").write_text(page, encoding="utf-8")
    if options.zipped:
        zip_folder(out.absolute(), zip_of(out.absolute()))
    return Report(summary.images, len(summary.chosen), drawn.unreadable, sum(summary.reasons.values()))


def _counted(results: Iterator[ImageResult], total: int, progress: StageProgress) -> Iterator[ImageResult]:
    for number, result in enumerate(results, start=1):
        yield result
        if number % 100 == 0 or number == total:
            progress("counting", number, total)


def _write_pages(
    folder: Path,
    job: Job,
    summary: Summary,
    label_set: LabelSet,
    drawn: Drawn,
    compared: ComparedAnswers | None,
    *,
    catch: Sequence[CatchSummary],
    missed: Sequence[MissedImages],
    nonce: str,
) -> None:
    for name in _ASSETS:
        asset = files("worker.report") / "templates" / name
        (folder / name).write_text(asset.read_text(encoding="utf-8"), encoding="utf-8")
    head: dict[str, object] = {
        "species": list(label_set.names),
        "noFish": NO_FISH,
        "models": {model: list(names) for model, names in drawn.models.items()},
        "sheets": [asdict(sheet) for sheet in drawn.sheets],
    }
    scripts = write_data(folder, head, drawn.entries)
    pairs = compared_pairs(compared, label_set.names, shown=drawn.names)
    pages = {
        "index.html": render_overview(job, summary, label_set, missed, nonce=nonce),
        "images.html": render_images(job, summary, scripts, nonce=nonce),
        "review.html": render_review(job, summary, label_set, missed, pairs, nonce=nonce),
        "catch.html": render_catch(job, catch, nonce=nonce),
    }
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8")
