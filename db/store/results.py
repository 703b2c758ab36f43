"""A job's results, page by page in the order of their keys, so that a job of any size passes through little memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING

from sqlalchemy import Engine, Row, Select, func, select
from sqlalchemy.orm import Session, aliased, undefer

from db.domain.boxes import Box
from db.domain.card_facts import facts_of
from db.domain.corrections import Correction
from db.domain.jobs import ItemState
from db.domain.predictions import Agreement, Detection, Head
from db.domain.results import SURE_BOX, ImageResult, StoredDetection, StoredPrediction
from db.domain.species import LabelSet
from db.domain.taken_with import UNTOLD
from db.session import reading
from db.store.duplicates import answers_by_duplicates
from db.store.images import taken_with_of
from db.store.neighbours import HeardPrediction, heard_predictions
from db.store.reviews import current_corrections
from db.store.species import held_label_set
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.jobs import ItemRow, JobRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import DetectionRow, PredictionRow

PAGE = 500
# Confidences that were fitted to be chances: a box counts that is more likely a fish than not.
SURE_CHANCE = 0.5
_own_camera = aliased(CameraRow)

if TYPE_CHECKING:
    _Found = Row[ItemRow, bytes, bytes, str, PredictionRow | None, ImageRow | None]


@dataclass(frozen=True)
class AnsweringModel:
    """What a model's answers need of its card: the species axis, and the confidence of a box that counts as a fish.

    named: what species are called now that were renamed, or became another one, since the model learnt them.
    """

    species: tuple[str, ...] = ()
    sure_box: float = SURE_BOX
    named: Mapping[str, str] = field(default_factory=dict)

    @property
    def axis(self) -> tuple[str, ...]:
        """The species by the names that they have now, each once."""
        return tuple(dict.fromkeys(self.named.get(name, name) for name in self.species))

    def on_axis(self, shares: Sequence[float]) -> tuple[float, ...]:
        """Return a distribution of the model on this axis; species that became one since are summed."""
        if not self.named or len(shares) != len(self.species):
            return tuple(shares)
        summed = dict.fromkeys(self.axis, 0.0)
        for name, share in zip(self.species, shares, strict=True):
            summed[self.named.get(name, name)] += share
        return tuple(summed.values())


def iterate_results(engine: Engine, job_id: int) -> Iterator[ImageResult]:
    """Yield every item of a job, in the order in which they were found; no heat maps.

    Each page is a short reading of its own: a long one would keep SQLite's writers out.
    """
    after = 0
    while True:
        with reading(engine) as session:
            page = page_of_results(session, job_id, after_item=after)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].item_id


def page_of_results(session: Session, job_id: int, *, after_item: int, limit: int = PAGE) -> list[ImageResult]:
    """Return the next items of a job after one of them, in the order of their ids."""
    query = _items().where(ItemRow.job_id == job_id, ItemRow.id > after_item).order_by(ItemRow.id).limit(limit)
    return _results(session, job_id, session.execute(query).all(), with_heatmaps=False)


def results_with_heatmaps(session: Session, job_id: int, item_ids: Sequence[int]) -> list[ImageResult]:
    """Return some items of a job with their heat maps, at most `PAGE`, in the order of their ids."""
    query = _items().where(ItemRow.job_id == job_id, ItemRow.id.in_(item_ids)).order_by(ItemRow.id)
    found = session.execute(query.options(undefer(PredictionRow.heatmap))).all()
    return _results(session, job_id, found, with_heatmaps=True)


def models_of_job(session: Session, job_id: int) -> tuple[str, ...]:
    """Return the model versions that a job's results came from; more than one where the champion changed meanwhile."""
    query = select(PredictionRow.model_version_id).join(ItemRow, ItemRow.prediction_id == PredictionRow.id)
    return tuple(sorted(session.scalars(query.where(ItemRow.job_id == job_id).distinct())))


def label_set_of_models(session: Session, model_versions: Sequence[str], *, default: LabelSet) -> LabelSet:
    """Return the species that some model versions know, in their order, and then the others of the project's."""
    models = answering_models(session, model_versions).values()
    names = dict.fromkeys(name for model in models for name in model.axis)
    return LabelSet(tuple(dict.fromkeys([*names, *default.names])))


def _items() -> Select[ItemRow, bytes, bytes, str, PredictionRow | None, ImageRow | None]:
    # An image's own camera counts before its folder's.
    camera = func.coalesce(_own_camera.name, CameraRow.name)
    return (
        select(ItemRow, FolderRow.path, FileRow.name, camera, PredictionRow, ImageRow)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(FolderRow, FolderRow.id == FileRow.folder_id)
        .join(CameraRow, CameraRow.id == FolderRow.camera_id)
        .outerjoin(PredictionRow, PredictionRow.id == ItemRow.prediction_id)
        .outerjoin(ImageRow, ImageRow.id == func.coalesce(PredictionRow.image_id, FileRow.image_id))
        .outerjoin(_own_camera, _own_camera.id == ImageRow.camera_id)
    )


def _results(session: Session, job_id: int, found: Sequence[_Found], *, with_heatmaps: bool) -> list[ImageResult]:
    predictions = [row[4] for row in found if row[4] is not None]
    detections = detections_of(session, [row.id for row in predictions])
    models = answering_models(session, sorted({row.model_version_id for row in predictions}))
    heard = heard_predictions(session, job_id, [row.id for row in predictions])
    images = {image.sha256: image.id for *_, image in found if image is not None}
    reviews = current_corrections(session, list(images.values()))
    reviews |= answers_by_duplicates(session, images, answered=reviews)
    root = bytes(session.scalar(select(JobRow.root).where(JobRow.id == job_id)) or b"")
    results = []
    for item, folder, name, camera, prediction, image in found:
        stored = None
        if prediction is not None:
            model = models[prediction.model_version_id]
            stored = stored_prediction(prediction, model, detections.get(prediction.id, ()), with_heatmap=with_heatmaps)
            stored = named_now(as_heard(stored, heard.get(prediction.id)), model)
        review = reviews.get(image.sha256) if image is not None else None
        results.append(_result(item, os.path.join(folder, name), camera, image, stored, review, root=root))
    return results


def _result(
    item: ItemRow,
    file: bytes,
    camera: str,
    image: ImageRow | None,
    stored: StoredPrediction | None,
    review: Correction | None,
    *,
    root: bytes,
) -> ImageResult:
    above = root.rstrip(b"/") + b"/"
    # Cut, not computed: a root may also be a URL.
    relative = file.removeprefix(above) if file.startswith(above) else file
    return ImageResult(
        item_id=item.id,
        state=ItemState(item.state),
        path=relative.decode("utf-8", "backslashreplace"),
        relative=relative,
        file=file,
        camera=camera,
        sha256=image.sha256 if image else None,
        width_px=image.width_px if image else None,
        height_px=image.height_px if image else None,
        captured_at=image.captured_at if image else None,
        prediction=stored,
        reason=item.reason,
        failure=item.failure,
        review=review,
        note=image.note if image else None,
        taken_with=taken_with_of(image) if image else UNTOLD,
    )


def stored_prediction(
    row: PredictionRow, model: AnsweringModel, detections: Sequence[StoredDetection], *, with_heatmap: bool
) -> StoredPrediction:
    """Return a prediction as a value."""
    # SQLite gives back times without their zone; all of ours are UTC.
    predicted_at = row.created_at if row.created_at.tzinfo else row.created_at.replace(tzinfo=UTC)
    return StoredPrediction(
        prediction_id=row.id,
        model_version=row.model_version_id,
        predicted_at=predicted_at.astimezone(UTC).isoformat(timespec="seconds"),
        species=model.species,
        box_probabilities=tuple(row.box_probabilities),
        heatmap_probabilities=tuple(row.heatmap_probabilities),
        detections=tuple(detections),
        agreement=agreement_of(row),
        error_probability=row.error_probability,
        heatmap=row.heatmap if with_heatmap else None,
        crop_probabilities=tuple(row.crop_probabilities) if row.crop_probabilities else None,
        crop_weight=row.crop_weight or 0.0,
        sure_box=model.sure_box,
        novelty=row.novelty,
    )


def as_heard(alone: StoredPrediction, heard: HeardPrediction | None) -> StoredPrediction:
    """Return a prediction as the job answers it: with its camera's other images heard, where they were."""
    if heard is None:
        return alone
    found = tuple(heard.of(place, one, alone.species) for place, one in enumerate(alone.detections))
    return replace(alone, detections=found, crop_probabilities=heard.image, heard_images=heard.images)


def named_now(said: StoredPrediction, model: AnsweringModel) -> StoredPrediction:
    """Return a prediction by the names that the model's species have now."""
    if not model.named:
        return said
    return replace(
        said,
        species=model.axis,
        box_probabilities=model.on_axis(said.box_probabilities),
        heatmap_probabilities=model.on_axis(said.heatmap_probabilities),
        detections=tuple(_renamed(found, model) for found in said.detections),
        crop_probabilities=model.on_axis(said.crop_probabilities) if said.crop_probabilities else None,
    )


def _renamed(found: StoredDetection, model: AnsweringModel) -> StoredDetection:
    detection, crop = found.detection, found.crop_species
    return replace(
        found,
        detection=replace(detection, species=model.named.get(detection.species, detection.species)),
        crop_species=model.named.get(crop, crop) if crop is not None else None,
        crop_probabilities=model.on_axis(found.crop_probabilities) if found.crop_probabilities else None,
    )


def agreement_of(row: PredictionRow) -> Agreement:
    """Return a prediction's agreement with its parts."""
    return Agreement(
        score=row.agreement,
        iou=row.iou,
        species_distance=row.species_distance,
        box_entropy=row.box_entropy,
        heatmap_entropy=row.heatmap_entropy,
        box_confidence=row.box_confidence,
        heatmap_confidence=row.heatmap_confidence,
        fish_count=row.fish_count,
    )


def detections_of(session: Session, prediction_ids: Sequence[int]) -> dict[int, list[StoredDetection]]:
    """Return the detections of some predictions, in the order in which they were found."""
    found: dict[int, list[StoredDetection]] = {}
    query = select(DetectionRow).where(DetectionRow.prediction_id.in_(prediction_ids)).order_by(DetectionRow.id)
    for row in session.scalars(query):
        box = Box(row.x_min, row.y_min, row.x_max, row.y_max)
        detection = Detection(box, row.species, row.confidence, Head(row.head))
        stored = StoredDetection(
            row.id,
            detection,
            row.crop_file,
            row.crop_species,
            row.crop_confidence,
            tuple(row.crop_probabilities) if row.crop_probabilities else None,
        )
        found.setdefault(row.prediction_id, []).append(stored)
    return found


def answering_models(session: Session, model_versions: Sequence[str]) -> dict[str, AnsweringModel]:
    """Return what the cards of some model versions say, the oldest version first."""
    query = select(ModelVersionRow.id, ModelVersionRow.card).where(ModelVersionRow.id.in_(model_versions))
    label_set = held_label_set(session)
    found = {}
    for model_id, card in session.execute(query.order_by(ModelVersionRow.created_at)):
        facts = facts_of(card)
        now = {name: label_set.named(name) or name for name in facts.species} if label_set is not None else {}
        named = {name: known for name, known in now.items() if known != name}
        found[model_id] = AnsweringModel(facts.species, SURE_CHANCE if facts.calibrated else SURE_BOX, named)
    return found
