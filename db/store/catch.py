"""What catch figures are made of, read for a whole job at once: answers by image, and what people said of each."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Result, and_, case, exists, func, select
from sqlalchemy.orm import Session

from db.domain.answers import model_answer
from db.domain.corrections import DECIDED, CorrectionOutcome
from db.domain.predictions import Head
from db.domain.species import NO_FISH
from db.store.flagged import unlike
from db.store.neighbours import heard_predictions
from db.store.results import AnsweringModel, answering_models, as_heard, detections_of, named_now, stored_prediction
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.jobs import ItemRow, JobRow
from db.tables.predictions import DetectionRow, NeighbourAnswerRow, PredictionRow
from db.tables.reviews import CorrectionBoxRow, CorrectionRow, ReviewItemRow

_ROWS_A_PAGE = 20_000
_IDS_A_QUERY = 500
UNKNOWN_DAY = ""


@dataclass
class Names:
    """Names in the order in which they were met, each with its code."""

    codes: dict[str, int]

    def code(self, name: str) -> int:
        """Return the name's code, a new one where it was not met before."""
        return self.codes.setdefault(name, len(self.codes))

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, by code."""
        return tuple(self.codes)


@dataclass
class JobAnswers:
    """A job's answers by one model, an image a place; the columns are as long as each other.

    species, camera, day, trip: codes into the names. fish: how many the answer boxes, 0 for no fish. mixed: their
    species, of the places where these are several. days are ISO 8601, `UNKNOWN_DAY` where no clock told; trips are the
    first folder below the job's.
    """

    image_id: array[int]
    prediction_id: array[int]
    species: array[int]
    fish: array[float]
    error_probability: array[float]
    camera: array[int]
    day: array[int]
    trip: array[int]
    species_names: Names
    camera_names: Names
    day_names: Names
    trip_names: Names
    mixed: dict[int, Counter[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.image_id)


@dataclass(frozen=True)
class SaidOfImage:
    """What a person last decided of an image. fish: by species. first_id: of the first decision, to tell when."""

    species: str
    fish: dict[str, int]
    first_id: int


def job_answers(
    session: Session, job_id: int, *, model_version: str, last_prediction_id: int | None = None
) -> JobAnswers:
    """Return what a model answered of the images of a job, in any order; one that lies there twice comes twice.

    last_prediction_id: only answers up to this one.
    """
    found = _empty()
    model = answering_models(session, [model_version])[model_version]
    cameras = {key: found.camera_names.code(name) for key, name in _names_of_cameras(session).items()}
    camera_of_folder, trips = _folders(session, job_id, found.trip_names)
    for rows in _answer_rows(session, job_id, model_version, last_prediction_id).partitions():
        image_ids, prediction_ids, species, errors, own_cameras, folders, days = zip(*rows, strict=True)
        found.image_id.extend(image_ids)
        found.prediction_id.extend(prediction_ids)
        found.species.extend(found.species_names.code(model.named.get(name, name)) for name in species)
        found.fish.extend(0.0 if name == NO_FISH else 1.0 for name in species)
        found.error_probability.extend(errors)
        # An image's own camera counts before its folder's.
        found.camera.extend(
            cameras[camera_of_folder[folder] if own is None else own]
            for own, folder in zip(own_cameras, folders, strict=True)
        )
        found.day.extend(found.day_names.code(day or UNKNOWN_DAY) for day in days)
        found.trip.extend(map(trips.__getitem__, folders))
    _count_boxes(session, job_id, found, model)
    return found


def said_of_images(session: Session, job_id: int) -> dict[int, SaidOfImage]:
    """Return for each image of a job that a person decided on what they said last."""
    inside = (
        exists()
        .where(FileRow.image_id == CorrectionRow.image_id, ItemRow.file_id == FileRow.id, ItemRow.job_id == job_id)
        .correlate(CorrectionRow)
    )
    decided = CorrectionRow.outcome.in_([outcome.value for outcome in DECIDED])
    ends = (
        select(func.max(CorrectionRow.id).label("last"), func.min(CorrectionRow.id).label("first"))
        .where(decided, inside)
        .group_by(CorrectionRow.image_id)
        .subquery()
    )
    boxes = (
        select(CorrectionBoxRow.correction_id, CorrectionBoxRow.species, func.count())
        .join(ends, ends.c.last == CorrectionBoxRow.correction_id)
        .where(CorrectionBoxRow.species.is_not(None))
        .group_by(CorrectionBoxRow.correction_id, CorrectionBoxRow.species)
    )
    fish: dict[int, dict[str, int]] = {}
    for correction_id, species, count in session.execute(boxes):
        fish.setdefault(correction_id, {})[str(species)] = count
    last = select(CorrectionRow.image_id, CorrectionRow.id, CorrectionRow.species, ends.c.first).join(
        ends, ends.c.last == CorrectionRow.id
    )
    return {
        image_id: SaidOfImage(str(species), _fish_of(str(species), fish.get(correction_id, {})), first)
        for image_id, correction_id, species, first in session.execute(last)
    }


def undecided_images(session: Session, export_id: str) -> set[int]:
    """Return the images of an export of which a person said that they cannot tell, and nobody else did."""
    query = (
        select(CorrectionRow.image_id)
        .join(ReviewItemRow, ReviewItemRow.id == CorrectionRow.review_item_id)
        .where(ReviewItemRow.export_id == export_id, CorrectionRow.outcome == CorrectionOutcome.UNSURE.value)
    )
    return set(session.scalars(query))


def review_moments(session: Session, *, limit: int = 5_000) -> list[tuple[str, str, datetime]]:
    """Return export, person and moment of the newest answers, in the order of time: how long one image takes."""
    query = (
        select(ReviewItemRow.export_id, CorrectionRow.reviewer, CorrectionRow.reviewed_at)
        .join(ReviewItemRow, ReviewItemRow.id == CorrectionRow.review_item_id)
        .order_by(CorrectionRow.id.desc())
        .limit(limit)
    )
    return sorted(session.execute(query).all())


def _empty() -> JobAnswers:
    whole: Callable[[], array[int]] = lambda: array("q")  # noqa: E731
    real: Callable[[], array[float]] = lambda: array("d")  # noqa: E731
    return JobAnswers(
        whole(), whole(), whole(), real(), real(), whole(), whole(), whole(), Names({}), Names({}), Names({}), Names({})
    )


def _answer_rows(
    session: Session, job_id: int, model_version: str, last_prediction_id: int | None
) -> Result[tuple[int, int, str, float, int | None, int, str | None]]:
    """Return image, prediction, species, error probability, own camera, folder and day of every answer."""
    conditions: list[ColumnElement[bool]] = [ItemRow.job_id == job_id, PredictionRow.model_version_id == model_version]
    if last_prediction_id is not None:
        conditions.append(PredictionRow.id <= last_prediction_id)
    # By content, not by the item's own prediction: a newer model may have answered the job since.
    query = (
        select(
            PredictionRow.image_id,
            PredictionRow.id,
            # As results tell it: after the job's other images of the camera were heard, where they were.
            func.coalesce(NeighbourAnswerRow.species, PredictionRow.species),
            # Of an image unlike all that was learnt from nothing is known but that.
            case((unlike(), 1.0), else_=PredictionRow.error_probability),
            ImageRow.camera_id,
            FileRow.folder_id,
            func.substr(ImageRow.captured_at, 1, 10),
        )
        .select_from(ItemRow)
        .join(FileRow, FileRow.id == ItemRow.file_id)
        .join(ImageRow, ImageRow.id == FileRow.image_id)
        .join(PredictionRow, PredictionRow.image_id == ImageRow.id)
        .outerjoin(
            NeighbourAnswerRow,
            and_(NeighbourAnswerRow.prediction_id == PredictionRow.id, NeighbourAnswerRow.job_id == job_id),
        )
        .where(*conditions)
    )
    # The connection's rows are plain ones, and as many as a page are held at a time.
    return session.connection().execute(query, execution_options={"yield_per": _ROWS_A_PAGE})


def _count_boxes(session: Session, job_id: int, found: JobAnswers, model: AnsweringModel) -> None:
    """Count the fish of those answers that may have several boxes, each by its own species; the rest have one."""
    several = (
        select(DetectionRow.prediction_id)
        .where(DetectionRow.head == Head.HEATMAP.value, DetectionRow.confidence >= model.sure_box)
        .group_by(DetectionRow.prediction_id)
        .having(func.count() > 1)
    )
    counts: dict[int, Counter[str]] = {}
    asked = list(session.scalars(several))
    for start in range(0, len(asked), _IDS_A_QUERY):
        chunk = asked[start : start + _IDS_A_QUERY]
        heard, detections = heard_predictions(session, job_id, chunk), detections_of(session, chunk)
        for row in session.scalars(select(PredictionRow).where(PredictionRow.id.in_(chunk))):
            alone = stored_prediction(row, model, detections[row.id], with_heatmap=False)
            answer = model_answer(named_now(as_heard(alone, heard.get(row.id)), model))
            counts[row.id] = Counter(box.species for box in answer.boxes)
    for place, prediction_id in enumerate(found.prediction_id) if counts else ():
        boxed = counts.get(prediction_id)
        if boxed and found.fish[place] > 0.0:
            found.fish[place] = float(boxed.total())
            if len(boxed) > 1:
                found.mixed[place] = boxed


def _fish_of(species: str, boxes: dict[str, int]) -> dict[str, int]:
    """Return the fish of an image; where nobody drew a box its species is one fish."""
    if boxes:
        return {name: count for name, count in boxes.items() if name != NO_FISH}
    return {} if species == NO_FISH else {species: 1}


def _names_of_cameras(session: Session) -> dict[int, str]:
    return {camera_id: name for camera_id, name in session.execute(select(CameraRow.id, CameraRow.name))}


def _folders(session: Session, job_id: int, trips: Names) -> tuple[dict[int, int], dict[int, int]]:
    """Return by folder its camera, and the code of its trip: the first folder below the job's."""
    root = bytes(session.scalar(select(JobRow.root).where(JobRow.id == job_id)) or b"").rstrip(b"/")
    cameras, codes = {}, {}
    folders = session.execute(select(FolderRow.id, FolderRow.path, FolderRow.camera_id))
    for folder_id, path, camera_id in folders:
        cameras[folder_id] = camera_id
        below = bytes(path).removeprefix(root) if bytes(path).startswith(root) else bytes(path)
        first = below.strip(b"/").split(b"/")[0] or root.rsplit(b"/", 1)[-1]
        codes[folder_id] = trips.code(first.decode("utf-8", "backslashreplace"))
    return cameras, codes
