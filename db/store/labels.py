"""Labels in the store: label files come in as revisions, and training gets one saying an image, a person's first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.domain.boxes import Box
from db.domain.files import FoundFile
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.outcomes import SeenImage
from db.domain.places import Place
from db.store.images import hold_images, places_of
from db.store.label_imports import begin_import, finish_import, labels_in_force
from db.store.reviews import numbered_corrections
from db.store.sql import upsert
from db.tables.images import ImageRow
from db.tables.labels import ImportedLabelRow, LabelBoxRow, LabelRow

# SQLite takes 32,766 variables in a statement; this stays far below.
_IDS_A_QUERY = 500


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
    """An image that may be learnt from. source_id: of the correction or the label (`origin`) that says so."""

    label: ImageLabel
    origin: LabelOrigin
    source_id: int

    @property
    def place(self) -> Place:
        """Where it lies, without what was said of it."""
        return Place(**{name: getattr(self, name) for name in Place.__dataclass_fields__})


def add_labels(session: Session, labels: Sequence[NewLabel], *, root: bytes, source: str, path: str = "") -> int:
    """Return of how many images an import of these labels changed the label in force. The caller commits."""
    import_id = begin_import(session, source=source, path=path)
    hold_labels(session, labels, import_id=import_id, root=root, source=source)
    return finish_import(session, import_id)


def hold_labels(
    session: Session, labels: Sequence[NewLabel], *, import_id: int, root: bytes, source: str
) -> list[NewLabel]:
    """Hold labels as an import that is not finished yet, and return those that are left aside. The caller commits.

    Left aside is a saying that is less than what is in force (the same species, without its boxes): species by folder,
    imported after the boxes, would take the boxes away.
    """
    image_ids = hold_images(session, [(new.file, new.image) for new in labels], root=root)
    lesser = _lesser(session, labels)
    rows = {
        (image_ids[new.image.sha256], label_digest(new.label)): new for new in labels if new.image.sha256 not in lesser
    }
    if rows:
        _insert_labels(session, rows, source=source)
        _link(session, list(rows), import_id)
    return [new for new in labels if new.image.sha256 in lesser]


def _insert_labels(session: Session, rows: Mapping[tuple[int, str], NewLabel], *, source: str) -> None:
    values = [
        {
            "image_id": image_id,
            "digest": digest,
            "species": new.label.species,
            "source": source,
            # Names of label files need not be UTF-8, and the column is for people to read.
            "place": new.place.encode("utf-8", "backslashreplace").decode("utf-8"),
            "created_at": datetime.now(UTC),
        }
        for (image_id, digest), new in rows.items()
    ]
    added = session.execute(
        upsert(session, LabelRow).on_conflict_do_nothing().returning(LabelRow.id, LabelRow.image_id, LabelRow.digest),
        values,
    ).all()
    boxes = [row for label_id, image_id, digest in added for row in _box_rows(label_id, rows[image_id, digest].label)]
    if boxes:
        session.execute(insert(LabelBoxRow), boxes)


def _link(session: Session, keys: Sequence[tuple[int, str]], import_id: int) -> None:
    """Say that an import gives these images these labels; of two places of one content the last one links."""
    ids: dict[tuple[int, str], int] = {}
    for start in range(0, len(keys), _IDS_A_QUERY):
        held = select(LabelRow.image_id, LabelRow.digest, LabelRow.id).where(
            LabelRow.image_id.in_({image_id for image_id, _ in keys[start : start + _IDS_A_QUERY]})
        )
        ids.update({(image_id, digest): label_id for image_id, digest, label_id in session.execute(held)})
    links = {image_id: ids[image_id, digest] for image_id, digest in keys}
    linked = upsert(session, ImportedLabelRow)
    session.execute(
        linked.on_conflict_do_update(
            index_elements=["import_id", "image_id"], set_={"label_id": linked.excluded.label_id}
        ),
        [{"import_id": import_id, "image_id": image_id, "label_id": label_id} for image_id, label_id in links.items()],
    )


def label_digest(label: ImageLabel) -> str:
    """Return the digest of what a label says; the order of its boxes says nothing."""
    boxes = sorted([box.species, *box.box.xyxy, *(box.head_px or ()), *(box.tail_px or ())] for box in label.boxes)
    return hashlib.sha256(json.dumps([label.species, boxes]).encode()).hexdigest()


def training_records(session: Session) -> list[TrainingRecord]:
    """Return every image about which something is known, each content once, in the order they were registered.

    A person's newest decided correction counts before any label file; of label files the last import that is in force.
    """
    corrections = {
        said.sha256: (source_id, said.label) for source_id, said in numbered_corrections(session) if said.label
    }
    labelled = select(labels_in_force().c.image_id)
    held = list(session.scalars(select(ImageRow.sha256).where(ImageRow.id.in_(labelled))))
    labels = numbered_labels(session, held)
    records = []
    for place in places_of(session, {*labels, *corrections}):
        origin = LabelOrigin.CORRECTION if place.sha256 in corrections else LabelOrigin.LABEL
        # Label and id come together: between two queries somebody may say something newer.
        source_id, label = corrections.get(place.sha256) or labels[place.sha256]
        records.append(TrainingRecord(**vars(place), label=label, origin=origin, source_id=source_id))
    return sorted(records, key=lambda record: record.image_id)


def _lesser(session: Session, labels: Sequence[NewLabel]) -> set[str]:
    held = labels_of(session, [new.image.sha256 for new in labels if not new.label.boxes])
    return {new.image.sha256 for new in labels if _is_lesser(new.label, held.get(new.image.sha256))}


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


def labels_of(session: Session, sha256s: Sequence[str]) -> dict[str, ImageLabel]:
    """Return the label in force of each content that has one."""
    return {sha256: label for sha256, (_id, label) in numbered_labels(session, sha256s).items()}


def numbered_labels(session: Session, sha256s: Sequence[str]) -> dict[str, tuple[int, ImageLabel]]:
    """Return the id and the content of the label in force of each image, by its content's hash, that has one."""
    found: dict[str, tuple[int, ImageLabel]] = {}
    for start in range(0, len(sha256s), _IDS_A_QUERY):
        wanted = select(ImageRow.id).where(ImageRow.sha256.in_(sha256s[start : start + _IDS_A_QUERY]))
        in_force = labels_in_force(wanted)
        query = (
            select(LabelRow, ImageRow.sha256)
            .join(in_force, in_force.c.label_id == LabelRow.id)
            .join(ImageRow, ImageRow.id == LabelRow.image_id)
        )
        rows = session.execute(query).all()
        boxes = boxes_of_labels(session, [row.id for row, _ in rows])
        for row, sha256 in rows:
            found[sha256] = (row.id, ImageLabel(row.species, tuple(boxes.get(row.id, ()))))
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
