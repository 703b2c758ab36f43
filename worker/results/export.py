"""Exports a job's results: opens the stream, hands it to the format's writer, counts what went by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from db.domain.jobs import ItemState
from db.domain.results import ImageResult
from db.domain.species import LabelSet
from db.progress import Progress, no_progress
from db.session import reading
from db.store.error_probabilities import refresh_error_probabilities
from db.store.events import events_of_job
from db.store.jobs import get_job
from db.store.results import iterate_results, label_set_of_models, models_of_job
from worker.results import (
    as_csv,
    as_json,
    camtrap_dp,
    coco,
    coco_camera_traps,
    kaggle,
    labelme,
    megadetector,
    ncfm,
    yolo,
)
from worker.results import events as events_csv
from worker.results.names import ResultFormat
from worker.results.options import Export, ResultOptions

Writer = Callable[[Path, Iterable[ImageResult], Export], list[str]]

WRITERS: dict[ResultFormat, Writer] = {
    ResultFormat.JSON: as_json.write,
    ResultFormat.CSV: as_csv.write,
    ResultFormat.COCO: coco.write,
    ResultFormat.MEGADETECTOR: megadetector.write,
    ResultFormat.YOLO: yolo.write,
    ResultFormat.KAGGLE: kaggle.write,
    ResultFormat.EVENTS: events_csv.write,
    ResultFormat.LABELME: labelme.write,
    ResultFormat.NCFM: ncfm.write,
    ResultFormat.COCO_CAMERA_TRAPS: coco_camera_traps.write,
    ResultFormat.CAMTRAP_DP: camtrap_dp.write,
}
# A dataset of images cannot say "could not be read"; MegaDetector's format can, but not "nobody looked yet".
HOLD_FAILURES = frozenset({ResultFormat.JSON, ResultFormat.CSV, ResultFormat.MEGADETECTOR})
HOLD_WAITING = frozenset({ResultFormat.JSON, ResultFormat.CSV})


@dataclass
class Exported:
    """What an export came to: images by state, and what the format could not hold.

    problems: images that this format in particular has no place for, with the reason.
    """

    by_state: Counter[ItemState] = field(default_factory=Counter)
    left_out: int = 0
    problems: list[str] = field(default_factory=list)


def export_results(
    engine: Engine,
    job_id: int,
    out: Path,
    options: ResultOptions,
    *,
    default: LabelSet,
    progress: Progress = no_progress,
) -> Exported:
    """Return what was written to out. default: the project's label set; a person may name any of its species.

    Raises:
        NotFoundError: no such job. OutputError: out cannot be written.
    """
    with reading(engine) as session:
        job = get_job(session, job_id)
        models = models_of_job(session, job_id)
        label_set = label_set_of_models(session, models, default=default)
        events = tuple(events_of_job(session, job_id))
    for model in models:
        refresh_error_probabilities(engine, model)
    done = Exported()
    export = Export(
        job.root,
        label_set,
        models,
        options,
        title=f"Taffrail job {job_id}",
        total=job.counts.total,
        job_id=job_id,
        events=events,
    )
    stream = _counted(iterate_results(engine, job_id), done, export, progress)
    done.problems += WRITERS[options.result_format](out, stream, export)
    return done


def _counted(
    results: Iterable[ImageResult], done: Exported, export: Export, progress: Progress
) -> Iterator[ImageResult]:
    total = export.total
    for number, result in enumerate(results, start=1):
        done.by_state[result.state] += 1
        if _has_place(result, export):
            yield result
        else:
            done.left_out += 1
        if number % 100 == 0 or number == total:
            progress(number, total)


def _has_place(result: ImageResult, export: Export) -> bool:
    if export.answer(result) is not None or export.options.result_format is ResultFormat.EVENTS:
        return True
    return export.options.result_format in (HOLD_FAILURES if result.failure is not None else HOLD_WAITING)
