"""Labels in the store: label files come in once, and training gets one saying an image, a person's before a file's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from db.domain.boxes import Box
from db.domain.files import FoundFile
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.outcomes import SeenImage
from db.domain.places import Place
from db.store.images import hold_images, places_of
from db.store.reviews import current_corrections
from db.store.sql import upsert
from db.tables.images import ImageRow
from db.tables.labels import LabelBoxRow, LabelRow

_IDS_A_QUERY = 500
_PLAIN = {"synchronize_session": False}


class LabelOrigin(StrEnum):
    """Who said what is in an image."""

    CORRECTION = "correction"
    LABEL = "label"


@dataclass(frozen=True)
class NewLabel:
    """An image with what a label file says of it. place: file and record, for people."""

    file: FoundFile
    image: SeenImage
    label: ImageLabel
    place: str


@dataclass(frozen=True)
class TrainingRecord(Place):
    """An image that may be learnt from."""

    label: ImageLabel
    origin: LabelOrigin

    @property
    def place(self) -> Place:
        """Where it lies, without what was said of it."""
        return Place(**{name: getattr(self, name) for name in Place.__dataclass_fields__})


def add_labels(session: Session, labels: Sequence[NewLabel], *, root: bytes, source: str) -> int:
    """Return how many sayings are new; the same saying of the same content is held once. The caller commits.

    A saying that is less than what is held (the same species, without its boxes) is none: species by folder, imported
    after the boxes, would take the boxes away.
    """
    if not labels:
        return 0
    image_ids = hold_images(session, [(new.file, new.image) for new in labels], root=root)
    labels = _without_lesser(session, labels)
    if not labels:
        return 0
    digests = [label_digest(new.label) for new in labels]
    rows = [
        {
            "image_id": image_ids[new.image.sha256],
            "digest": digest,
            "species": new.label.species,
            "source": source,
            # Names of label files need not be UTF-8, and the column is for people to read.
            "place": new.place.encode("utf-8", "backslashreplace").decode("utf-8"),
            "created_at": datetime.now(UTC),
        }
        for new, digest in zip(labels, digests, strict=True)
    ]
    added = session.execute(
        upsert(session, LabelRow).on_conflict_do_nothing().returning(LabelRow.id, LabelRow.image_id, LabelRow.digest),
        rows,
    ).all()
    said = {(image_ids[new.image.sha256], digest): new.label for new, digest in zip(labels, digests, strict=True)}
    boxes = [row for label_id, image_id, digest in added for row in _box_rows(label_id, said[image_id, digest])]
    if boxes:
        session.execute(insert(LabelBoxRow), boxes)
    return len(added)


def label_digest(label: ImageLabel) -> str:
    """Return the digest of what a label says; the order of its boxes says nothing."""
    boxes = sorted([box.species, *box.box.xyxy, *(box.head_px or ()), *(box.tail_px or ())] for box in label.boxes)
    return hashlib.sha256(json.dumps([label.species, boxes]).encode()).hexdigest()


def training_records(session: Session) -> list[TrainingRecord]:
    """Return every image about which something is known, each content once, in the order they were registered.

    A person's newest decided correction counts before any label file; of label files the newest counts.
    """
    corrections = {sha256: said.label for sha256, said in current_corrections(session).items() if said.label}
    labelled = select(LabelRow.image_id).distinct()
    held = list(session.scalars(select(ImageRow.sha256).where(ImageRow.id.in_(labelled))))
    labels = labels_of(session, held)
    records = []
    for place in places_of(session, {*labels, *corrections}):
        origin = LabelOrigin.CORRECTION if place.sha256 in corrections else LabelOrigin.LABEL
        label = corrections.get(place.sha256) or labels[place.sha256]
        records.append(TrainingRecord(**vars(place), label=label, origin=origin))
    return sorted(records, key=lambda record: record.image_id)


def _without_lesser(session: Session, labels: Sequence[NewLabel]) -> list[NewLabel]:
    held = labels_of(session, [new.image.sha256 for new in labels if not new.label.boxes])
    return [new for new in labels if not _is_lesser(new.label, held.get(new.image.sha256))]


def _is_lesser(label: ImageLabel, held: ImageLabel | None) -> bool:
    return held is not None and bool(held.boxes) and not label.boxes and label.species == held.species


def _box_rows(label_id: int, label: ImageLabel) -> Iterator[dict[str, object]]:
    for labelled in label.boxes:
        yield {
            "label_id": label_id,
            "species": labelled.species,
            "x_min": labelled.box.x_min,
            "y_min": labelled.box.y_min,
            "x_max": labelled.box.x_max,
            "y_max": labelled.box.y_max,
            "points": _points(labelled),
        }


def _points(labelled: LabelledBox) -> dict[str, list[float]] | None:
    ends = {"head": labelled.head_px, "tail": labelled.tail_px}
    return {name: list(point) for name, point in ends.items() if point is not None} or None


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
