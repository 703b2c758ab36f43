"""Draws a report's images in processes of their own, and packs their heat maps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import Engine

from db.domain.jobs import Job
from db.errors import TaffrailError
from db.progress import StageProgress
from db.session import reading
from db.settings import Settings
from db.store.model_versions import frame_of_model
from db.store.results import PAGE, results_with_heatmaps
from worker.report.gallery import Entry, image_entry
from worker.report.heat_sheets import HeatSheets, SheetFile
from worker.report.images import DrawnImage, ImageTask, draw_image
from worker.storage.artifacts import artifacts_root


class ReportError(TaffrailError):
    """A report cannot be made."""


@dataclass(frozen=True)
class DrawOptions:
    """image_px: the longer side of each image. originals: whether they are copied in full. processes: None for all."""

    image_px: int
    originals: bool
    processes: int | None


@dataclass
class Drawn:
    """What was drawn. names: of the items, by id.

    models: the species axis of each model version. unreadable: images that are gone.
    """

    entries: list[Entry] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    sheets: list[SheetFile] = field(default_factory=list)
    models: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unreadable: int = 0


def draw_images(
    engine: Engine,
    settings: Settings,
    job: Job,
    item_ids: Sequence[int],
    folder: Path,
    options: DrawOptions,
    *,
    progress: StageProgress,
) -> Drawn:
    """Return what was drawn of some items of a job into a report's folder.

    Raises:
        ReportError: a drawing process died.
    """
    done, sheets = Drawn(), HeatSheets(folder)
    # Spawned: the caller may have threads, which a fork would not survive.
    processes = options.processes or os.cpu_count() or 1
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for start in range(0, len(item_ids), PAGE):
            tasks = _tasks(engine, settings, job, item_ids[start : start + PAGE], folder, options)
            for task, drawn in zip(tasks, _drawn(pool, tasks), strict=True):
                _add(done, task, drawn, sheets, flag_below=settings.flag_below)
                progress("drawing", len(done.entries), len(item_ids))
    done.sheets = sheets.finish()
    return done


def _add(done: Drawn, task: ImageTask, drawn: DrawnImage, sheets: HeatSheets, *, flag_below: float) -> None:
    heat = sheets.place(drawn.heat) if drawn.heat is not None else None
    done.entries.append(image_entry(task.result, drawn, heat, flag_below=flag_below))
    done.names[task.result.item_id] = task.result.path
    done.unreadable += drawn.problem is not None
    if task.result.prediction is not None:
        done.models[task.result.prediction.model_version] = task.result.prediction.species


def _drawn(pool: ProcessPoolExecutor, tasks: list[ImageTask]) -> Iterator[DrawnImage]:
    try:
        yield from pool.map(draw_image, tasks, chunksize=4)
    except BrokenProcessPool:
        raise ReportError("a drawing process was killed, perhaps for memory; --max-images takes fewer") from None


def _tasks(
    engine: Engine, settings: Settings, job: Job, item_ids: Sequence[int], folder: Path, options: DrawOptions
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
