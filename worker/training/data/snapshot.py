"""Takes the data set of a training: who said what of each image, what it counts, and which cameras evaluate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from db.domain.cameras import count_sides
from db.domain.datasets import Dataset, DatasetEntry, EntryOrigin, join_series
from db.errors import TaffrailError
from db.settings import Settings
from db.store.dataset_sources import PseudoRule, pseudo_entries, said_entries
from db.store.datasets import Series, add_cameras, add_dataset, begin_series, current_series
from db.store.model_versions import ModelVersion
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import held_out_cameras


class SnapshotError(TaffrailError):
    """What was said of images so far does not make a data set."""


def take_snapshot(
    session: Session,
    settings: Settings,
    *,
    champion: ModelVersion | None,
    pseudo_labels: bool = False,
    held_out_share: float | None = None,
) -> Dataset:
    """Return the data set of this moment, stored; new cameras join the series. The caller commits.

    A person's newest correction counts before any label file, both before what the champion is sure of
    (pseudo_labels); held-out cameras are evaluated by what people said alone. held_out_share: of a series that begins
    here, the settings' where not given; a series that goes on keeps its own.
    Raises:
        SnapshotError: nobody said anything of any image yet.
    """
    said = entries_said(session, settings)
    if not said:
        raise SnapshotError(
            "nobody has said yet what any image shows; `cli labels import` or `cli review import` bring that in"
        )
    share = settings.held_out_share if held_out_share is None else held_out_share
    series = _joined(session, said, champion=champion, held_out_share=share)
    entries = [replace(entry, held_out=series.sides[entry.place.camera]) for entry in said]
    if pseudo_labels and champion is not None:
        entries += _pseudo(session, settings, entries, series, champion=champion)
    return add_dataset(session, series.series_id, entries)


def entries_said(session: Session, settings: Settings) -> list[DatasetEntry]:
    """Return every image of which a person or a label file said something, with what that counts."""
    weights = {EntryOrigin.CORRECTION: settings.correction_weight, EntryOrigin.LABEL: 1.0}
    return said_entries(session, weights=weights)


def refuse_unevaluable(dataset: Dataset) -> None:
    """Refuse a data set from which no model can be learnt and evaluated.

    Raises:
        SnapshotError: names what is missing.
    """
    learnt = [entry for entry in dataset.entries if not entry.held_out]
    cameras = sorted({entry.place.camera for entry in dataset.entries})
    if not dataset.held_out_cameras or not learnt:
        raise SnapshotError(
            f"images of {len(cameras)} camera ({cameras[0]}) are known; a retraining needs 2 at least: one to learn "
            "from and another to be evaluated on"
            if len(cameras) == 1
            else f"no images are known of the {'learning' if not learnt else 'held-out'} cameras of the series"
        )
    species = {entry.label.species for entry in learnt}
    if len(species) < 2:
        raise SnapshotError(
            f"all {len(learnt)} images to learn from show {species.pop()}; a retraining needs 2 species at least"
        )


def training_samples(entries: Sequence[DatasetEntry]) -> list[TrainingSample]:
    """Return what training needs of a data set's entries."""
    return [
        TrainingSample(
            file=entry.place.file,
            sha256=entry.place.sha256,
            camera=entry.place.camera,
            label=entry.label,
            width_px=entry.place.width_px,
            height_px=entry.place.height_px,
            captured_at=entry.place.captured_at,
            weight=entry.weight,
            guessed=entry.origin is EntryOrigin.PSEUDO,
        )
        for entry in entries
    ]


def _joined(
    session: Session, said: Sequence[DatasetEntry], *, champion: ModelVersion | None, held_out_share: float
) -> Series:
    """Return the series with a side for every camera that somebody spoke of."""
    images = Counter(entry.place.camera for entry in said)
    series = current_series(session)
    if series is None:
        series = begin_series(session, held_out_share=held_out_share)
        series = add_cameras(session, series, _first_sides(said, champion=champion, held_out_share=held_out_share))
    sides = join_series(series.sides, images, share=series.held_out_share, series_id=series.series_id)
    return add_cameras(session, series, sides)


def _first_sides(
    said: Sequence[DatasetEntry], *, champion: ModelVersion | None, held_out_share: float
) -> Mapping[str, bool]:
    """Return the sides a series begins with: the champion's, which has not learnt from its held-out cameras."""
    cameras = [entry.place.camera for entry in said]
    chosen = set(_held_out_of(champion)) & set(cameras)
    if not chosen or len(chosen) == len(set(cameras)):
        if count_sides(cameras) < 2:
            return dict.fromkeys(cameras, False)
        species = [entry.label.species for entry in said]
        chosen = set(held_out_cameras(cameras, species, share=held_out_share, seed=0))
    return {camera: camera in chosen for camera in sorted(set(cameras))}


def _held_out_of(champion: ModelVersion | None) -> tuple[str, ...]:
    return champion.card.folds[0] if champion is not None and champion.card.folds else ()


def _pseudo(
    session: Session, settings: Settings, said: Sequence[DatasetEntry], series: Series, *, champion: ModelVersion
) -> list[DatasetEntry]:
    """Return what the champion is sure of, on cameras that learn already, at most as many as people spoke of."""
    if settings.pseudo_weight == 0.0:
        return []
    rule = PseudoRule(
        confidence=settings.pseudo_confidence,
        agreement=settings.pseudo_agreement,
        cameras=frozenset(camera for camera, held_out in series.sides.items() if not held_out),
        at_most=len(said),
    )
    spoken_of = {entry.place.image_id for entry in said}
    return pseudo_entries(
        session, rule, model_version=champion.model_id, weight=settings.pseudo_weight, leave_out=spoken_of
    )
