"""Which images a person answers by another one: held beside what was shown, never as an answer of their own.

So nothing that counts answers (error probabilities, catch figures, the gate, agreement of reviewers) takes one look
for several: an answer by a duplicate is read from the shown image's own, and is taken back with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.domain.corrections import Correction
from db.store.reviews import decided, load_corrections
from db.tables.reviews import CorrectionRow, ReviewDuplicateRow, ReviewExportRow, ReviewItemRow

ImageId = InstrumentedAttribute[int] | ColumnElement[int]


def record_duplicates(session: Session, export_id: str, duplicates: Mapping[int, Sequence[int]]) -> None:
    """Hold for images of an export, by number, the ids of the images that they stand for; the caller commits."""
    query = select(ReviewItemRow.number, ReviewItemRow.id).where(ReviewItemRow.export_id == export_id)
    items = {number: item_id for number, item_id in session.execute(query)}
    session.add_all(
        ReviewDuplicateRow(review_item_id=items[number], image_id=image_id)
        for number, image_ids in duplicates.items()
        for image_id in image_ids
    )
    session.flush()


def answers_by_duplicates(
    session: Session, images: Mapping[str, int], *, answered: Mapping[str, Correction]
) -> dict[str, Correction]:
    """Return by hash the answers that images have by their duplicates. images: ids by hash, some thousands at most.

    answered: what people said of these images themselves, which counts before.
    """
    wanted = {image_id: sha256 for sha256, image_id in images.items() if sha256 not in answered}
    if not wanted:
        return {}
    newest = (
        select(ReviewDuplicateRow.image_id, func.max(CorrectionRow.id))
        .join(CorrectionRow, CorrectionRow.review_item_id == ReviewDuplicateRow.review_item_id)
        .where(ReviewDuplicateRow.image_id.in_(wanted), decided())
        .group_by(ReviewDuplicateRow.image_id)
    )
    by_image = {image_id: correction_id for image_id, correction_id in session.execute(newest)}
    said = dict(load_corrections(session, sorted(set(by_image.values()))))
    return {wanted[image_id]: _passed_on(said[one], to=wanted[image_id]) for image_id, one in by_image.items()}


def count_answered_by_duplicates(session: Session, export_ids: Sequence[str]) -> int:
    """Return how many images have an answer by what people decided on in some exports, and none of their own."""
    own = exists().where(CorrectionRow.image_id == ReviewDuplicateRow.image_id, decided())
    query = (
        select(func.count(func.distinct(ReviewDuplicateRow.image_id)))
        .join(ReviewItemRow, ReviewItemRow.id == ReviewDuplicateRow.review_item_id)
        .where(
            ReviewItemRow.export_id.in_(export_ids),
            exists().where(CorrectionRow.review_item_id == ReviewItemRow.id, decided()),
            ~own,
        )
    )
    return session.scalar(query) or 0


def is_answered_by_duplicate(image_id: ImageId) -> ColumnElement[bool]:
    """Return whether a person decided on an image that this one is a duplicate of."""
    return (
        select(ReviewDuplicateRow.id)
        .join(CorrectionRow, CorrectionRow.review_item_id == ReviewDuplicateRow.review_item_id)
        .where(ReviewDuplicateRow.image_id == image_id, decided())
        .exists()
    )


def is_lent_by_duplicate(image_id: ImageId, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether an image that this one is a duplicate of was shown in an export with these conditions."""
    return (
        select(ReviewDuplicateRow.id)
        .join(ReviewItemRow, ReviewItemRow.id == ReviewDuplicateRow.review_item_id)
        .join(ReviewExportRow, ReviewExportRow.id == ReviewItemRow.export_id)
        .where(ReviewDuplicateRow.image_id == image_id, *conditions)
        .exists()
    )


def has_duplicate_shown(image_id: ImageId) -> ColumnElement[bool]:
    """Return whether an image that this one is a duplicate of is in an export already."""
    return exists().where(ReviewDuplicateRow.image_id == image_id)


def _passed_on(said: Correction, *, to: str) -> Correction:
    # Detections are the shown image's own; this one has others.
    changes = tuple(replace(changed, detection_id=None) for changed in said.changes)
    return replace(said, sha256=to, changes=changes, duplicate_of=said.sha256)
