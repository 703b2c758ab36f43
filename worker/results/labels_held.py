"""All labels and corrections held, as images that people answered: they leave in the formats that results leave in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine

from db.domain.corrections import Correction, CorrectionOutcome
from db.domain.jobs import ItemState
from db.domain.results import ImageResult
from db.domain.species import LabelSet
from db.session import reading
from db.store.labels import LabelOrigin, TrainingRecord, training_records
from db.store.reviews import current_corrections
from worker.results.export import WRITERS, Exported
from worker.results.options import Export, ResultOptions

Progress = Callable[[int, int], None]
LABEL_FILE = "a label file"


def export_labels(
    engine: Engine,
    out: Path,
    options: ResultOptions,
    *,
    label_set: LabelSet,
    progress: Progress = lambda done, total: None,
) -> Exported:
    """Return what was written to out: one answer an image, a person's correction before a label file's word.

    Raises:
        OutputError: out cannot be written.
    """
    with reading(engine) as session:
        records = training_records(session)
        corrections = current_corrections(session)
    root = _common_root(records)
    export = Export(root, label_set, (), options, title="All labels and corrections", total=len(records))
    done = Exported()
    stream = _counted(records, corrections, root, done, progress)
    done.problems += WRITERS[options.result_format](out, stream, export)
    return done


def _counted(
    records: Sequence[TrainingRecord],
    corrections: dict[str, Correction],
    root: bytes,
    done: Exported,
    progress: Progress,
) -> Iterator[ImageResult]:
    for number, record in enumerate(records, start=1):
        done.by_state[ItemState.DONE] += 1
        yield _result(record, corrections.get(record.sha256), root, number)
        progress(number, len(records))


def _result(record: TrainingRecord, correction: Correction | None, root: bytes, number: int) -> ImageResult:
    relative = record.file.removeprefix(root.rstrip(b"/") + b"/")
    if record.origin is not LabelOrigin.CORRECTION or correction is None:
        correction = Correction(record.sha256, record.label, CorrectionOutcome.CONFIRMED, (), LABEL_FILE, "", "", None)
    return ImageResult(
        item_id=number,
        state=ItemState.DONE,
        path=relative.decode("utf-8", "backslashreplace"),
        relative=relative,
        file=record.file,
        camera=record.camera,
        sha256=record.sha256,
        width_px=record.width_px,
        height_px=record.height_px,
        captured_at=record.captured_at,
        prediction=None,
        reason=None,
        failure=None,
        review=correction,
    )


def _common_root(records: Sequence[TrainingRecord]) -> bytes:
    """The folder that all images lie below; of one image its own folder."""
    folders = [os.path.dirname(record.file) for record in records]
    try:
        return os.path.commonpath(folders) if folders else b"/"
    except ValueError:  # a URL beside paths
        return b"/"
