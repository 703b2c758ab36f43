"""Reviews in the store: exports as they were shown, answers with their whole history. Nothing here is ever changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from db.domain.boxes import Box
from db.domain.corrections import DECIDED, BoxChange, Change, Correction, CorrectionOutcome
from db.domain.labels import ImageLabel, LabelledBox
from db.errors import NotFoundError
from db.tables.images import ImageRow
from db.tables.reviews import CorrectionBoxRow, CorrectionRow, ReviewExportRow, ReviewItemRow

# SQLite takes 32,766 variables in a statement; this stays far below.
_IDS_A_QUERY = 500


@dataclass(frozen=True)
class NewReviewItem:
    """One image of an export to record; shapes: as `annotator.labelme.shown.shape_to_json` makes them."""

    number: int
    image_id: int
    prediction_id: int | None
    at_random: bool
    why: str
    width_px: int
    height_px: int
    shapes: tuple[Mapping[str, object], ...]


@dataclass(frozen=True)
class ReviewItem:
    """One image of an export as recorded, and the digest of the last answer held (None before the first)."""

    review_item_id: int
    number: int
    image_id: int
    sha256: str
    at_random: bool
    width_px: int
    height_px: int
    shapes: tuple[Mapping[str, object], ...]
    revision: int
    digest: str | None


@dataclass(frozen=True)
class ReviewExport:
    """One export as recorded; folder is where it was written."""

    export_id: str
    folder: bytes
    model_version: str | None
    items: Mapping[int, ReviewItem]


def record_export(
    session: Session,
    items: Iterable[NewReviewItem],
    *,
    export_id: str,
    folder: bytes,
    model_version: str | None,
    flag_below: float | None,
    asked_species: str | None = None,
    asked_camera: str | None = None,
) -> None:
    """Record an export and its images, and what the choice was narrowed to; the caller commits."""
    session.add(
        ReviewExportRow(
            id=export_id,
            folder=folder,
            model_version_id=model_version,
            flag_below=flag_below,
            asked_species=asked_species,
            asked_camera=asked_camera,
            created_at=datetime.now(UTC),
        )
    )
    session.flush()
    session.add_all(_item_row(item, export_id=export_id) for item in items)
    session.flush()


def get_export(session: Session, export_id: str) -> ReviewExport:
    """Return an export with its images by number.

    Raises:
        NotFoundError: there is no such export.
    """
    row = session.get(ReviewExportRow, export_id)
    if row is None:
        raise NotFoundError(f"export {export_id[:40]!r}: not held in this database; was it made with another HOME?")
    last = (
        select(CorrectionRow.review_item_id, func.max(CorrectionRow.revision).label("revision"))
        .join(ReviewItemRow, ReviewItemRow.id == CorrectionRow.review_item_id)
        .where(ReviewItemRow.export_id == export_id)
        .group_by(CorrectionRow.review_item_id)
        .subquery()
    )
    query = (
        select(ReviewItemRow, ImageRow.sha256, CorrectionRow.revision, CorrectionRow.digest)
        .join(ImageRow, ImageRow.id == ReviewItemRow.image_id)
        .outerjoin(last, last.c.review_item_id == ReviewItemRow.id)
        .outerjoin(
            CorrectionRow,
            (CorrectionRow.review_item_id == ReviewItemRow.id) & (CorrectionRow.revision == last.c.revision),
        )
        .where(ReviewItemRow.export_id == export_id)
    )
    items = (_item(*found) for found in session.execute(query))
    return ReviewExport(row.id, row.folder, row.model_version_id, {item.number: item for item in items})


def add_correction(session: Session, item: ReviewItem, correction: Correction) -> bool:
    """Return whether an answer was added; the same answer as the last one of its image in its export is not.

    The caller commits. Two imports of one folder at once: the second one's commit fails on the unique revision.
    """
    return add_corrections(session, [(item, correction)]) == 1


def add_corrections(session: Session, answers: Iterable[tuple[ReviewItem, Correction]]) -> int:
    """Return how many answers were added, one an image, as `add_correction` adds one; two statements for all."""
    new = [
        (_correction_row(item, correction, digest=digest), correction.changes)
        for item, correction in answers
        if (digest := digest_of(correction)) != item.digest
    ]
    session.add_all(row for row, _ in new)
    session.flush()
    session.add_all(_box_row(changed, correction_id=row.id) for row, changes in new for changed in changes)
    session.flush()
    return len(new)


def _correction_row(item: ReviewItem, correction: Correction, *, digest: str) -> CorrectionRow:
    return CorrectionRow(
        review_item_id=item.review_item_id,
        revision=item.revision + 1,
        image_id=item.image_id,
        outcome=correction.outcome.value,
        species=correction.label.species if correction.label is not None else None,
        reviewer=correction.reviewer,
        digest=digest,
        reviewed_at=datetime.fromisoformat(correction.reviewed_at),
    )


def decided() -> ColumnElement[bool]:
    """Return whether a row of `corrections` says what is in its image and was not withdrawn later."""
    later = aliased(CorrectionRow)
    withdrawn = exists().where(
        later.review_item_id == CorrectionRow.review_item_id,
        later.revision > CorrectionRow.revision,
        later.outcome == CorrectionOutcome.WITHDRAWN.value,
    )
    return CorrectionRow.outcome.in_([outcome.value for outcome in DECIDED]) & ~withdrawn


def current_corrections(session: Session, image_ids: Sequence[int] | None = None) -> dict[str, Correction]:
    """Return for each image (by content hash) the newest answer that says what is in it.

    image_ids: of these images only, at most a few thousand of them.
    """
    return {correction.sha256: correction for _id, correction in numbered_corrections(session, image_ids)}


def numbered_corrections(session: Session, image_ids: Sequence[int] | None = None) -> Iterator[tuple[int, Correction]]:
    """Yield the newest answer that says what is in an image, of each image, with its id; see `current_corrections`."""
    newest = select(func.max(CorrectionRow.id)).where(decided()).group_by(CorrectionRow.image_id)
    if image_ids is not None:
        newest = newest.where(CorrectionRow.image_id.in_(image_ids))
    yield from load_corrections(session, list(session.scalars(newest)))


def answers_by_reviewer(session: Session) -> dict[str, dict[str, Correction]]:
    """Return for each image that several people decided on each one's newest answer, the newest of all last."""
    newest = (
        select(func.max(CorrectionRow.id).label("id"), CorrectionRow.image_id)
        .where(decided())
        .group_by(CorrectionRow.image_id, CorrectionRow.reviewer)
        .subquery()
    )
    several = select(newest.c.image_id).group_by(newest.c.image_id).having(func.count() > 1)
    ids = list(session.scalars(select(newest.c.id).where(newest.c.image_id.in_(several)).order_by(newest.c.id)))
    found: dict[str, dict[str, Correction]] = {}
    for correction in _load(session, ids):
        found.setdefault(correction.sha256, {})[correction.reviewer] = correction
    return found


def history_of(session: Session, sha256: str) -> list[Correction]:
    """Return everything that was ever said of an image, oldest first."""
    query = (
        select(CorrectionRow.id)
        .join(ImageRow, ImageRow.id == CorrectionRow.image_id)
        .where(ImageRow.sha256 == sha256)
        .order_by(CorrectionRow.id)
    )
    return list(_load(session, list(session.scalars(query))))


def digest_of(correction: Correction) -> str:
    """Return the digest of what an answer says, not of when it was read."""
    boxes = [
        [changed.change.value, changed.detection_id, _box_json(changed.before), _box_json(changed.after)]
        for changed in correction.changes
    ]
    said = [correction.outcome.value, correction.label.species if correction.label else None, boxes]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _item_row(item: NewReviewItem, *, export_id: str) -> ReviewItemRow:
    return ReviewItemRow(
        export_id=export_id,
        number=item.number,
        image_id=item.image_id,
        prediction_id=item.prediction_id,
        at_random=item.at_random,
        why=item.why,
        width_px=item.width_px,
        height_px=item.height_px,
        shapes=[dict(shape) for shape in item.shapes],
    )


def _item(row: ReviewItemRow, sha256: str, revision: int | None, digest: str | None) -> ReviewItem:
    return ReviewItem(
        review_item_id=row.id,
        number=row.number,
        image_id=row.image_id,
        sha256=sha256,
        at_random=row.at_random,
        width_px=row.width_px,
        height_px=row.height_px,
        shapes=tuple(row.shapes),
        revision=revision or 0,
        digest=digest,
    )


def _box_row(changed: BoxChange, *, correction_id: int) -> CorrectionBoxRow:
    before, after = changed.before, changed.after
    x_min, y_min, x_max, y_max = after.box.xyxy if after else (None, None, None, None)
    return CorrectionBoxRow(
        correction_id=correction_id,
        detection_id=changed.detection_id,
        change=changed.change.value,
        species_before=before.species if before else None,
        species=after.species if after else None,
        before_xyxy=list(before.box.xyxy) if before else None,
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        points=_points(after) if after else None,
    )


def _points(labelled: LabelledBox) -> dict[str, list[float]] | None:
    ends = {"head": labelled.head_px, "tail": labelled.tail_px}
    return {name: list(point) for name, point in ends.items() if point is not None} or None


def _box_json(labelled: LabelledBox | None) -> list[object] | None:
    if labelled is None:
        return None
    return [labelled.species, *(float(value) for value in labelled.box.xyxy), _points(labelled)]


def _load(session: Session, ids: Sequence[int]) -> Iterator[Correction]:
    return (correction for _, correction in load_corrections(session, ids))


def load_corrections(session: Session, ids: Sequence[int]) -> Iterator[tuple[int, Correction]]:
    """Yield corrections with their ids, in the order they were stored within each five hundred."""
    for start in range(0, len(ids), _IDS_A_QUERY):
        chunk = ids[start : start + _IDS_A_QUERY]
        changes = _changes(session, chunk)
        query = (
            select(CorrectionRow, ImageRow.sha256, ReviewExportRow.id, ReviewExportRow.model_version_id)
            .join(ImageRow, ImageRow.id == CorrectionRow.image_id)
            .join(ReviewItemRow, ReviewItemRow.id == CorrectionRow.review_item_id)
            .join(ReviewExportRow, ReviewExportRow.id == ReviewItemRow.export_id)
            .where(CorrectionRow.id.in_(chunk))
            .order_by(CorrectionRow.id)
        )
        for row, sha256, export_id, model_version in session.execute(query):
            boxes = tuple(changes.get(row.id, ()))
            correction = Correction(
                sha256=sha256,
                label=_label(row, boxes),
                outcome=CorrectionOutcome(row.outcome),
                changes=boxes,
                reviewer=row.reviewer,
                reviewed_at=_utc(row.reviewed_at).isoformat(),
                export_id=export_id,
                model_version=model_version,
            )
            yield row.id, correction


def _changes(session: Session, ids: Sequence[int]) -> dict[int, list[BoxChange]]:
    found: dict[int, list[BoxChange]] = {}
    query = select(CorrectionBoxRow).where(CorrectionBoxRow.correction_id.in_(ids)).order_by(CorrectionBoxRow.id)
    for row in session.scalars(query):
        found.setdefault(row.correction_id, []).append(_box_change(row))
    return found


def _box_change(row: CorrectionBoxRow) -> BoxChange:
    before = after = None
    if row.before_xyxy is not None and row.species_before is not None:
        before = LabelledBox(Box(*row.before_xyxy), row.species_before)
    if row.species is not None:
        assert row.x_min is not None and row.y_min is not None and row.x_max is not None and row.y_max is not None
        ends = {name: (point[0], point[1]) for name, point in (row.points or {}).items()}
        box = Box(row.x_min, row.y_min, row.x_max, row.y_max)
        after = LabelledBox(box, row.species, head_px=ends.get("head"), tail_px=ends.get("tail"))
    return BoxChange(Change(row.change), before, after, row.detection_id)


def _label(row: CorrectionRow, changes: Sequence[BoxChange]) -> ImageLabel | None:
    if row.species is None:
        return None
    return ImageLabel(row.species, tuple(changed.after for changed in changes if changed.after is not None))


def _utc(moment: datetime) -> datetime:
    # SQLite gives back times without their zone; all of ours are UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
