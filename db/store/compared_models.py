"""What several model versions answered of the same images of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.store.catch import job_answers, said_of_images
from db.store.results import answering_models
from db.tables.images import FileRow
from db.tables.jobs import ItemRow
from db.tables.predictions import PredictionRow


@dataclass(frozen=True)
class ComparedAnswers:
    """Species by image id. by_model: the oldest version first. said: by people. items: the item that shows an image."""

    by_model: Mapping[str, Mapping[int, str]]
    said: Mapping[int, str]
    items: Mapping[int, int]


def answers_by_model(session: Session, job_id: int) -> ComparedAnswers | None:
    """Return what each model version answered of a job's images; None where all of them are by one version."""
    models = _models_of_images(session, job_id)
    if len(models) < 2:
        return None
    by_model = {}
    for model, held in answering_models(session, models).items():
        found = job_answers(session, job_id, model_version=model)
        names = [held.named.get(name, name) for name in found.species_names.names]
        by_model[model] = {image: names[code] for image, code in zip(found.image_id, found.species, strict=True)}
    said = {image: told.species for image, told in said_of_images(session, job_id).items()}
    items = (
        select(FileRow.image_id, func.min(ItemRow.id))
        .join(ItemRow, ItemRow.file_id == FileRow.id)
        .where(ItemRow.job_id == job_id, FileRow.image_id.is_not(None))
        .group_by(FileRow.image_id)
    )
    shown = {image: item for image, item in session.execute(items) if image is not None}
    return ComparedAnswers(by_model, said, shown)


def _models_of_images(session: Session, job_id: int) -> list[str]:
    """Return the versions that answered any image of a job, whether or not the job asked them."""
    query = (
        select(PredictionRow.model_version_id)
        .join(FileRow, FileRow.image_id == PredictionRow.image_id)
        .join(ItemRow, ItemRow.file_id == FileRow.id)
        .where(ItemRow.job_id == job_id)
        .distinct()
    )
    return sorted(session.scalars(query))
