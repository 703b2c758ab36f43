"""Writes a job's report: counts, chooses, draws in processes of their own, and renders the pages."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import Engine

from db.domain.catch import CatchSummary
from db.domain.jobs import Job
from db.domain.results import ImageResult
from db.domain.species import NO_FISH, LabelSet
from db.errors import TaffrailError
from db.progress import StageProgress, no_stage_progress
from db.session import reading
from db.settings import Settings
from db.store.caveats import said_of_cameras, said_of_images
from db.store.error_probabilities import refresh_error_probabilities
from db.store.events import events_of_job, sightings_of_events
from db.store.jobs import get_job
from db.store.model_versions import frame_of_model, said_against
from db.store.results import PAGE, iterate_results, label_set_of_models, models_of_job, results_with_heatmaps
from worker.report.events import camera_days
from worker.report.gallery import Entry, failure_entry, image_entry
from worker.report.images import DrawnImage, ImageTask, draw_image
from worker.report.pages import render_catch, render_events, render_images, render_overview
from worker.report.summary import Summary, summarise
from worker.results.files import new_folder
from worker.storage.artifacts import artifacts_root

_ASSETS = ("report.css", "report.js")


class ReportError(TaffrailError):
    """A report cannot be made."""


@dataclass(frozen=True)
class ReportOptions:
    """max_images: images drawn. image_px: the longer side of each. originals: whether they are copied in full."""

    max_images: int = 1_000
    image_px: int = 640
    originals: bool = False
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
    progress: StageProgress = no_stage_progress,
) -> Report:
    """Return what was written; the folder appears when it is complete.

    catch: the job's figures for their page, of the whole job first, then by groups.

    Raises:
        NotFoundError: no such job. OutputError: out is there already or cannot be written. ReportError: drawing died.
    """
    with reading(engine) as session:
        job = get_job(session, job_id)
    with new_folder(out) as folder:
        (folder / "images").mkdir()
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
        entries, unreadable = _draw_all(engine, settings, job, summary, folder, options, progress)
        entries += [failure_entry(result) for result in summary.failed]
        with reading(engine) as session:
            label_set = label_set_of_models(session, models, default=settings.label_set)
        nonce = secrets.token_urlsafe(16)
        _write_pages(folder, job, summary, label_set, entries, catch=catch, nonce=nonce)
        page = render_events(job, camera_days(events, sightings, folder), events, nonce=nonce)
        (folder / "events.html").write_text(page, encoding="utf-8")
    return Report(summary.images, len(summary.chosen), unreadable, sum(summary.reasons.values()))


def _counted(results: Iterator[ImageResult], total: int, progress: StageProgress) -> Iterator[ImageResult]:
    for number, result in enumerate(results, start=1):
        yield result
        if number % 100 == 0 or number == total:
            progress("counting", number, total)


def _draw_all(
    engine: Engine,
    settings: Settings,
    job: Job,
    summary: Summary,
    folder: Path,
    options: ReportOptions,
    progress: StageProgress,
) -> tuple[list[Entry], int]:
    entries: list[Entry] = []
    unreadable = 0
    # Spawned: the caller may have threads, which a fork would not survive.
    processes = options.processes or os.cpu_count() or 1
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for start in range(0, len(summary.chosen), PAGE):
            tasks = _tasks(engine, settings, job, summary.chosen[start : start + PAGE], folder, options)
            for task, drawn in zip(tasks, _drawn(pool, tasks), strict=True):
                entries.append(image_entry(task.result, drawn, flag_below=summary.flag_below))
                unreadable += drawn.problem is not None
                progress("drawing", len(entries), len(summary.chosen))
    return entries, unreadable


def _drawn(pool: ProcessPoolExecutor, tasks: list[ImageTask]) -> Iterator[DrawnImage]:
    try:
        yield from pool.map(draw_image, tasks, chunksize=4)
    except BrokenProcessPool:
        raise ReportError("a drawing process was killed, perhaps for memory; --max-images takes fewer") from None


def _tasks(
    engine: Engine, settings: Settings, job: Job, item_ids: list[int], folder: Path, options: ReportOptions
) -> list[ImageTask]:
    with reading(engine) as session:
        results = results_with_heatmaps(session, job.job_id, item_ids)
        models = {result.prediction.model_version for result in results if result.prediction}
        frames = {model: frame_of_model(session, model) for model in models}
    return [
        ImageTask(
            result=result,
            root=job.root,
            artifacts=artifacts_root(settings),
            out=folder,
            frame=frames[result.prediction.model_version],
            image_px=options.image_px,
            with_original=options.originals,
            max_bytes=settings.max_file_mib * 2**20,
            max_pixels=settings.max_pixels,
        )
        for result in results
        if result.prediction is not None
    ]


def _write_pages(
    folder: Path,
    job: Job,
    summary: Summary,
    label_set: LabelSet,
    entries: list[Entry],
    *,
    catch: Sequence[CatchSummary],
    nonce: str,
) -> None:
    for name in _ASSETS:
        asset = files("worker.report") / "templates" / name
        (folder / name).write_text(asset.read_text(encoding="utf-8"), encoding="utf-8")
    data = {"species": list(label_set.names), "noFish": NO_FISH, "images": entries}
    # A script, not JSON to fetch: pages opened from a disk may not fetch. ASCII, so that no character can surprise it.
    (folder / "data.js").write_text(f"window.TAFFRAIL = {json.dumps(data)};\n", encoding="ascii")
    (folder / "index.html").write_text(render_overview(job, summary, label_set, nonce=nonce), encoding="utf-8")
    (folder / "images.html").write_text(render_images(job, summary, nonce=nonce), encoding="utf-8")
    (folder / "catch.html").write_text(render_catch(job, catch, nonce=nonce), encoding="utf-8")
