"""Takes out of the store what a job, a folder of images or a person left there; images of the site are no part of it.

Foreign keys are checked by both engines, so what is forgotten here fails as a whole and removes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.domain.jobs import ItemState
from db.errors import NotFoundError, TaffrailError
from db.store.jobs import lock_job
from db.tables.datasets import DatasetEntryRow
from db.tables.events import EventQuestionRow, EventRow, EventSightingRow
from db.tables.images import FileRow, FolderRow, ImageRow
from db.tables.jobs import BatchRow, ItemRow, JobRow
from db.tables.labels import ImportedLabelRow, LabelRow
from db.tables.plans import ReviewPlanItemRow, ReviewPlanRow
from db.tables.predictions import DetectionRow, NeighbourAnswerRow, PredictionRow
from db.tables.reviews import CorrectionBoxRow, CorrectionRow, ReviewDuplicateRow, ReviewExportRow, ReviewItemRow

_IDS_A_QUERY = 500


class StillRunning(TaffrailError):
    """Something is asked to be removed that workers are still at."""


@dataclass
class Removed:
    """What was removed, by what people call it; crops: the names of artifacts that no row names any more."""

    counts: Counter[str] = field(default_factory=Counter)
    crops: list[str] = field(default_factory=list)


def remove_job(session: Session, job_id: int) -> Removed:
    """Remove a job, and of its images what no other job has; labels that were imported stay. The caller commits.

    Raises:
        NotFoundError: no such job. StillRunning: images of it wait, or are in work.
    """
    lock_job(session, job_id)
    items = list(session.scalars(select(ItemRow.id).where(ItemRow.job_id == job_id)))
    files = list(session.scalars(select(ItemRow.file_id).where(ItemRow.job_id == job_id)))
    removed = _remove_items(session, items, files)
    _remove_empty_job(session, job_id, removed)
    return removed


def remove_folder(session: Session, path: bytes) -> Removed:
    """Remove what is held of all files below a folder, in whichever job they are. path: absolute, or a URL.

    Raises:
        NotFoundError: no file below it is held. StillRunning: images of it wait, or are in work.
    """
    root = path.rstrip(b"/")
    folders = [
        folder_id
        for folder_id, folder in session.execute(select(FolderRow.id, FolderRow.path))
        if bytes(folder).rstrip(b"/") == root or bytes(folder).startswith(root + b"/")
    ]
    files = _ids(session, select(FileRow.id), FileRow.folder_id, folders)
    if not files:
        raise NotFoundError(f"{root.decode('utf-8', 'backslashreplace')}: no image below it is held")
    items = _ids(session, select(ItemRow.id), ItemRow.file_id, files)
    jobs = sorted(set(_ids(session, select(ItemRow.job_id), ItemRow.id, items)))
    removed = _remove_items(session, items, files)
    for job_id in jobs:
        if not session.scalar(select(exists().where(ItemRow.job_id == job_id))):
            _remove_empty_job(session, job_id, removed)
    return removed


def remove_person(session: Session, name: str) -> Removed:
    """Remove every answer that a person gave; what they were shown stays. The caller commits.

    Raises:
        NotFoundError: no answer is of this person.
    """
    corrections = list(session.scalars(select(CorrectionRow.id).where(CorrectionRow.reviewer == name)))
    if not corrections:
        known = list(session.scalars(select(CorrectionRow.reviewer).distinct().order_by(CorrectionRow.reviewer)))
        told = ", ".join(known[:10]) or "nobody yet"
        raise NotFoundError(f"person {name!r}: gave no answer that is held; answers are of: {told}")
    removed = Removed()
    _remove_corrections(session, corrections, removed)
    return removed


def _remove_items(session: Session, items: Sequence[int], files: Sequence[int]) -> Removed:
    """Remove items of jobs, and of their files' images what nothing else needs."""
    removed = Removed()
    waiting = _ids(session, select(ItemRow.job_id).where(ItemRow.state == ItemState.PENDING), ItemRow.id, items)
    if waiting:
        raise StillRunning(
            f"job {min(waiting)}: {len(waiting)} images of it wait or are in work; "
            f"`cli cancel {min(waiting)}` first, or let it end"
        )
    events = _ids(session, select(EventSightingRow.event_id), EventSightingRow.item_id, items)
    events = sorted({*events, *_ids(session, select(EventRow.id), EventRow.best_item_id, items)})
    _delete(session, EventSightingRow, EventSightingRow.event_id, events)
    removed.counts["events"] += _delete(session, EventRow, EventRow.id, events)
    batches = sorted({one for one in _ids(session, select(ItemRow.batch_id), ItemRow.id, items) if one is not None})
    removed.counts["job items"] += _delete(session, ItemRow, ItemRow.id, items)
    no_item = ~exists().where(ItemRow.batch_id == BatchRow.id)
    _delete(session, BatchRow, BatchRow.id, batches, no_item)
    alone = _ids(session, select(FileRow.id).where(~exists().where(ItemRow.file_id == FileRow.id)), FileRow.id, files)
    _remove_images(session, alone, removed)
    return removed


def _remove_images(session: Session, files: Sequence[int], removed: Removed) -> None:
    """Remove files that no job has any more, and what is held of contents that lie nowhere else."""
    contents = {one for one in _ids(session, select(FileRow.image_id), FileRow.id, files) if one is not None}
    elsewhere = set(_ids(session, select(FileRow.image_id).where(_in_job()), FileRow.image_id, sorted(contents)))
    images = sorted(contents - elsewhere)
    predictions = _ids(session, select(PredictionRow.id), PredictionRow.image_id, images)
    _remove_reviews(session, images, removed)
    crops = _ids(session, select(DetectionRow.crop_file), DetectionRow.prediction_id, predictions)
    removed.crops += [name for name in crops if name is not None]
    _delete(session, DatasetEntryRow, DatasetEntryRow.prediction_id, predictions)
    _delete(session, NeighbourAnswerRow, NeighbourAnswerRow.prediction_id, predictions)
    _delete(session, DetectionRow, DetectionRow.prediction_id, predictions)
    removed.counts["predictions"] += _delete(session, PredictionRow, PredictionRow.id, predictions)
    labelled = {
        *_ids(session, select(LabelRow.image_id), LabelRow.image_id, images),
        *_ids(session, select(ImportedLabelRow.image_id), ImportedLabelRow.image_id, images),
    }
    gone = [one for one in images if one not in labelled]
    kept = _ids(session, select(FileRow.id), FileRow.image_id, sorted(contents - set(gone)))
    folders = sorted(set(_ids(session, select(FileRow.folder_id), FileRow.id, files)))
    _delete(session, FileRow, FileRow.id, sorted(set(files) - set(kept)))
    _delete(session, DatasetEntryRow, DatasetEntryRow.image_id, gone)
    unplaced = ~exists().where(FileRow.image_id == ImageRow.id)
    removed.counts["images"] += _delete(session, ImageRow, ImageRow.id, gone, unplaced)
    removed.counts["kept labelled images"] += len(labelled)
    _delete(session, FolderRow, FolderRow.id, folders, ~exists().where(FileRow.folder_id == FolderRow.id))


def _remove_reviews(session: Session, images: Sequence[int], removed: Removed) -> None:
    corrections = _ids(session, select(CorrectionRow.id), CorrectionRow.image_id, images)
    _remove_corrections(session, corrections, removed)
    # A plan without all that it drew would tell wrong figures.
    plans = sorted(set(_ids(session, select(ReviewPlanItemRow.plan_id), ReviewPlanItemRow.image_id, images)))
    _remove_plans(session, plans, removed)
    shown = _ids(session, select(ReviewItemRow.id), ReviewItemRow.image_id, images)
    exports = sorted(set(_ids(session, select(ReviewItemRow.export_id), ReviewItemRow.id, shown)))
    _delete(session, EventQuestionRow, EventQuestionRow.review_item_id, shown)
    _delete(session, ReviewDuplicateRow, ReviewDuplicateRow.review_item_id, shown)
    _delete(session, ReviewDuplicateRow, ReviewDuplicateRow.image_id, images)
    _delete(session, ReviewItemRow, ReviewItemRow.id, shown)
    empty = ~exists().where(ReviewItemRow.export_id == ReviewExportRow.id)
    no_plan = ~exists().where(ReviewPlanRow.export_id == ReviewExportRow.id)
    removed.counts["review exports"] += _delete(session, ReviewExportRow, ReviewExportRow.id, exports, empty, no_plan)


def _remove_corrections(session: Session, corrections: Sequence[int], removed: Removed) -> None:
    removed.counts["data set records"] += _delete(session, DatasetEntryRow, DatasetEntryRow.correction_id, corrections)
    _delete(session, CorrectionBoxRow, CorrectionBoxRow.correction_id, corrections)
    removed.counts["corrections"] += _delete(session, CorrectionRow, CorrectionRow.id, corrections)


def _remove_plans(session: Session, plans: Sequence[int], removed: Removed) -> None:
    _delete(session, ReviewPlanItemRow, ReviewPlanItemRow.plan_id, plans)
    removed.counts["review plans"] += _delete(session, ReviewPlanRow, ReviewPlanRow.id, plans)


def _remove_empty_job(session: Session, job_id: int, removed: Removed) -> None:
    plans = list(session.scalars(select(ReviewPlanRow.id).where(ReviewPlanRow.job_id == job_id)))
    _remove_plans(session, plans, removed)
    session.execute(delete(NeighbourAnswerRow).where(NeighbourAnswerRow.job_id == job_id))
    session.execute(delete(BatchRow).where(BatchRow.job_id == job_id))
    removed.counts["jobs"] += _delete(session, JobRow, JobRow.id, [job_id])


def _in_job() -> ColumnElement[bool]:
    return exists().where(ItemRow.file_id == FileRow.id)


def _ids(session: Session, query: Select[Any], column: InstrumentedAttribute[Any], among: Sequence[Any]) -> list[Any]:
    """Return a query's values where a column is among some ids, so many at a time as both engines take."""
    found: list[Any] = []
    for start in range(0, len(among), _IDS_A_QUERY):
        found.extend(session.scalars(query.where(column.in_(among[start : start + _IDS_A_QUERY]))))
    return found


def _delete(
    session: Session, row: Any, column: InstrumentedAttribute[Any], among: Sequence[Any], *also: ColumnElement[bool]
) -> int:
    """Return how many rows were removed."""
    count = 0
    for start in range(0, len(among), _IDS_A_QUERY):
        statement = delete(row).where(column.in_(among[start : start + _IDS_A_QUERY]), *also)
        done = session.execute(statement, execution_options={"synchronize_session": False})
        count += int(getattr(done, "rowcount", 0))
    return count
