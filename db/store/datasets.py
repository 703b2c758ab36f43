"""Data sets in the store: taken once, never changed, read again exactly as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.domain.datasets import Dataset, DatasetEntry, EntryOrigin, entries_sha256
from db.errors import NotFoundError
from db.store.dataset_sources import places_by_id, sayings
from db.tables.datasets import DatasetEntryRow, DatasetRow, DatasetSeriesRow, SeriesCameraRow


@dataclass(frozen=True)
class Series:
    """Data sets that are evaluated on the same cameras; sides: True is held out, by camera."""

    series_id: int
    held_out_share: float
    sides: Mapping[str, bool]

    @property
    def held_out(self) -> tuple[str, ...]:
        """The cameras to evaluate on."""
        return tuple(sorted(camera for camera, side in self.sides.items() if side))


def current_series(session: Session) -> Series | None:
    """Return the newest series, None before the first one."""
    row = session.scalars(select(DatasetSeriesRow).order_by(DatasetSeriesRow.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    cameras = session.execute(
        select(SeriesCameraRow.camera, SeriesCameraRow.held_out)
        .where(SeriesCameraRow.series_id == row.id)
        .order_by(SeriesCameraRow.id)
    )
    return Series(row.id, row.held_out_share, {camera: held_out for camera, held_out in cameras})


def begin_series(session: Session, *, held_out_share: float) -> Series:
    """Return a new series without cameras; it is the current one from now on."""
    row = DatasetSeriesRow(held_out_share=held_out_share, created_at=datetime.now(UTC))
    session.add(row)
    session.flush()
    return Series(row.id, held_out_share, {})


def add_cameras(session: Session, series: Series, sides: Mapping[str, bool]) -> Series:
    """Return the series with more cameras; their side is theirs for good."""
    now = datetime.now(UTC)
    rows = [
        {"series_id": series.series_id, "camera": camera, "held_out": held_out, "joined_at": now}
        for camera, held_out in sides.items()
    ]
    if rows:
        session.execute(insert(SeriesCameraRow), rows)
    return Series(series.series_id, series.held_out_share, {**series.sides, **sides})


def add_dataset(session: Session, series_id: int, entries: Sequence[DatasetEntry]) -> Dataset:
    """Return the stored data set; the same contents in the same series are the same data set."""
    sha256 = entries_sha256(entries)
    known = session.scalar(select(DatasetRow.id).filter_by(series_id=series_id, sha256=sha256))
    if known is not None:
        return Dataset(known, sha256, series_id, tuple(entries))
    row = DatasetRow(series_id=series_id, sha256=sha256, created_at=datetime.now(UTC))
    session.add(row)
    session.flush()
    session.execute(insert(DatasetEntryRow), [_values(row.id, entry) for entry in entries])
    return Dataset(row.id, sha256, series_id, tuple(entries))


def get_dataset(session: Session, dataset_id: int) -> Dataset:
    """Return a data set as it was taken, whatever was said since; images that lie nowhere known are left out.

    Raises:
        NotFoundError: no such data set.
    """
    row = session.get(DatasetRow, dataset_id)
    if row is None:
        raise NotFoundError(f"data set {dataset_id}: there is no such data set")
    query = select(DatasetEntryRow).where(DatasetEntryRow.dataset_id == dataset_id).order_by(DatasetEntryRow.image_id)
    stored = list(session.scalars(query))
    said = sayings(
        session,
        corrections=[one.correction_id for one in stored if one.correction_id is not None],
        labels=[one.label_id for one in stored if one.label_id is not None],
        predictions=[one.prediction_id for one in stored if one.prediction_id is not None],
    )
    places = places_by_id(session, [one.image_id for one in stored])
    entries = []
    for one in stored:
        if one.image_id not in places:
            continue
        place, origin = replace(places[one.image_id], camera=one.camera), EntryOrigin(one.origin)
        source_id = one.correction_id or one.label_id or one.prediction_id or 0
        entries.append(DatasetEntry(place, said[origin][source_id], origin, source_id, one.weight, one.held_out))
    return Dataset(row.id, row.sha256, row.series_id, tuple(entries))


def _values(dataset_id: int, entry: DatasetEntry) -> dict[str, object]:
    return {
        "dataset_id": dataset_id,
        "image_id": entry.place.image_id,
        "origin": str(entry.origin),
        "correction_id": entry.source_id if entry.origin is EntryOrigin.CORRECTION else None,
        "label_id": entry.source_id if entry.origin is EntryOrigin.LABEL else None,
        "prediction_id": entry.source_id if entry.origin is EntryOrigin.PSEUDO else None,
        "species": entry.label.species,
        "camera": entry.place.camera,
        "weight": entry.weight,
        "held_out": entry.held_out,
    }
