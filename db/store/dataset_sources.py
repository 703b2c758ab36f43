"""Where a data set's entries come from: what people said, what label files say, what a model is sure of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.domain.boxes import Box
from db.domain.datasets import DatasetEntry, EntryOrigin
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.places import Place
from db.domain.predictions import Head
from db.domain.species import NO_FISH
from db.store.images import places_of
from db.store.labels import boxes_of_labels, training_records
from db.store.reviews import decided, load_corrections
from db.tables.images import ImageRow
from db.tables.labels import LabelRow
from db.tables.predictions import DetectionRow, PredictionRow
from db.tables.reviews import CorrectionRow

# SQLite takes 32,766 variables in a statement; this stays far below.
_IDS_A_QUERY = 500


@dataclass(frozen=True)
class PseudoRule:
    """Which predictions are believed as if a person had said them: both heads this sure, and this far agreed.

    cameras: of these only. at_most: so many of the most agreed images.
    """

    confidence: float
    agreement: float
    cameras: frozenset[str]
    at_most: int


def said_entries(session: Session, *, weights: Mapping[EntryOrigin, float]) -> list[DatasetEntry]:
    """Return every image of which a person or a label file said something; a person's word before a file's."""
    entries = []
    for record in training_records(session):
        origin = EntryOrigin(str(record.origin))
        entries.append(DatasetEntry(record.place, record.label, origin, record.source_id, weights[origin]))
    return entries


def pseudo_entries(
    session: Session, rule: PseudoRule, *, model_version: str, weight: float, leave_out: set[int]
) -> list[DatasetEntry]:
    """Return images that nobody spoke of (leave_out: those that somebody did) and this model is sure of."""
    chosen = _sure_predictions(session, rule, model_version=model_version, leave_out=leave_out)
    labels = believed(session, list(chosen.values()))
    entries = []
    for place in places_by_id(session, list(chosen)).values():
        prediction_id = chosen[place.image_id].id
        if prediction_id in labels and place.camera in rule.cameras:
            entries.append(DatasetEntry(place, labels[prediction_id], EntryOrigin.PSEUDO, prediction_id, weight))
    return sorted(entries, key=lambda entry: entry.place.image_id)


def sayings(
    session: Session, *, corrections: Sequence[int], labels: Sequence[int], predictions: Sequence[int]
) -> dict[EntryOrigin, dict[int, ImageLabel]]:
    """Return what sources say, by origin and the source's id; none of them is ever changed once it is stored."""
    from_corrections = {
        correction_id: correction.label
        for correction_id, correction in load_corrections(session, sorted(corrections))
        if correction.label is not None
    }
    from_labels: dict[int, ImageLabel] = {}
    for chunk in _chunks(sorted(labels)):
        boxes = boxes_of_labels(session, chunk)
        for row in session.scalars(select(LabelRow).where(LabelRow.id.in_(chunk))):
            from_labels[row.id] = ImageLabel(row.species, tuple(boxes.get(row.id, ())))
    from_predictions: dict[int, ImageLabel] = {}
    for chunk in _chunks(sorted(predictions)):
        rows = session.scalars(select(PredictionRow).where(PredictionRow.id.in_(chunk)))
        from_predictions.update(believed(session, list(rows)))
    return {
        EntryOrigin.CORRECTION: from_corrections,
        EntryOrigin.LABEL: from_labels,
        EntryOrigin.PSEUDO: from_predictions,
    }


def believed(session: Session, rows: Sequence[PredictionRow]) -> dict[int, ImageLabel]:
    """Return predictions as labels, by id: the box head's fish of the final species, or no fish.

    A prediction whose species is a fish that the box head did not box is no label.
    """
    found = {row.id: ImageLabel(NO_FISH) for row in rows if row.species == NO_FISH}
    species = {row.id: row.species for row in rows if row.species != NO_FISH}
    for chunk in _chunks(sorted(species)):
        boxed = DetectionRow.prediction_id.in_(chunk) & (DetectionRow.head == str(Head.BOX_SPECIES))
        for row in session.scalars(select(DetectionRow).where(boxed)):
            box = LabelledBox(Box(row.x_min, row.y_min, row.x_max, row.y_max), species[row.prediction_id])
            found[row.prediction_id] = ImageLabel(species[row.prediction_id], (box,))
    return found


def places_by_id(session: Session, image_ids: Sequence[int]) -> dict[int, Place]:
    """Return a place of each content that lies somewhere known, by the content's id."""
    hashes: set[str] = set()
    for chunk in _chunks(image_ids):
        hashes.update(session.scalars(select(ImageRow.sha256).where(ImageRow.id.in_(chunk))))
    return {place.image_id: place for place in places_of(session, hashes)}


def newest_correction_id(session: Session) -> int:
    """Return the id of the newest decided correction, 0 before there is one."""
    return session.scalar(select(func.max(CorrectionRow.id)).where(decided())) or 0


def corrected_since(session: Session, correction_id: int) -> int:
    """Return how many images were decided on after a correction."""
    query = select(func.count(func.distinct(CorrectionRow.image_id)))
    return session.scalar(query.where(decided(), CorrectionRow.id > correction_id)) or 0


def _sure_predictions(
    session: Session, rule: PseudoRule, *, model_version: str, leave_out: set[int]
) -> dict[int, PredictionRow]:
    sure = (
        select(PredictionRow)
        .where(
            PredictionRow.model_version_id == model_version,
            PredictionRow.agreement >= rule.agreement,
            PredictionRow.box_confidence >= rule.confidence,
            PredictionRow.heatmap_confidence >= rule.confidence,
        )
        .order_by(PredictionRow.agreement.desc(), PredictionRow.id)
        .execution_options(yield_per=_IDS_A_QUERY)
    )
    chosen: dict[int, PredictionRow] = {}
    for row in session.scalars(sure):
        if len(chosen) >= rule.at_most:
            break
        if row.image_id not in leave_out:
            chosen[row.image_id] = row
    return chosen


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _IDS_A_QUERY] for start in range(0, len(ids), _IDS_A_QUERY))
