"""The labels held of pictures, by content: what a simulated person answers from."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.tables import ImageRow, LabelBoxRow, LabelRow

# SQLite takes 32,766 variables in a statement; this stays far below.
_IDS_A_QUERY = 500


def labels_of(session: Session, sha256s: Sequence[str]) -> dict[str, ImageLabel]:
    """Return the newest label of each content that has one."""
    found: dict[str, ImageLabel] = {}
    for start in range(0, len(sha256s), _IDS_A_QUERY):
        chunk = sha256s[start : start + _IDS_A_QUERY]
        newest = (
            select(func.max(LabelRow.id))
            .join(ImageRow, ImageRow.id == LabelRow.image_id)
            .where(ImageRow.sha256.in_(chunk))
            .group_by(LabelRow.image_id)
        )
        query = select(LabelRow, ImageRow.sha256).join(ImageRow, ImageRow.id == LabelRow.image_id)
        rows = session.execute(query.where(LabelRow.id.in_(newest))).tuples().all()
        boxes = boxes_of_labels(session, [row.id for row, _ in rows])
        found.update({sha256: ImageLabel(row.species, tuple(boxes.get(row.id, ()))) for row, sha256 in rows})
    return found


def boxes_of_labels(session: Session, label_ids: Sequence[int]) -> dict[int, list[LabelledBox]]:
    """Return the boxes of up to some thousand labels, by the label's id."""
    found: dict[int, list[LabelledBox]] = {}
    query = select(LabelBoxRow).where(LabelBoxRow.label_id.in_(label_ids)).order_by(LabelBoxRow.id)
    for row in session.scalars(query):
        ends = {name: (point[0], point[1]) for name, point in (row.points or {}).items()}
        box = Box(row.x_min, row.y_min, row.x_max, row.y_max)
        labelled = LabelledBox(box, row.species, head_px=ends.get("head"), tail_px=ends.get("tail"))
        found.setdefault(row.label_id, []).append(labelled)
    return found
