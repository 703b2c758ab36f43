"""A job as plans and figures need it: answers as columns, and what people said of each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from annotator.errors import AnnotatorError
from annotator.estimates.weighted_sums import Floats
from annotator.plans.draw import Codes
from annotator.plans.expected import Answers, Confusion, confusion_from
from annotator.uncertainty.is_wrong import is_wrong
from db.domain.catch import Grouping
from db.domain.labels import ImageLabel
from db.domain.plans import PlanUnit
from db.domain.species import LabelSet
from db.store.catch import JobAnswers, SaidOfImage, job_answers, said_of_images
from db.store.model_versions import champion_id
from db.store.results import label_set_of_models, models_of_job
from db.store.review_queue import load_candidates
from db.store.reviews import current_corrections

_IDS_A_QUERY = 500
# As how many wrong answers the assumption counts that every wrong answer has a wrong species.
_ANSWERS_ASSUMED = 5.0


class PlanError(AnnotatorError):
    """A plan cannot be made, or a figure cannot be had."""


@dataclass(frozen=True)
class JobFrame:
    """A job's images with an answer, by the number of the image. All columns (N,).

    said: by image, what people decided. names_of: of the codes of each grouping. mixed: the fish by species of images
    whose boxes are of several; `answers` has the image's species and all its fish.
    """

    job_id: int
    model_version: str
    answers: Answers
    image_id: Codes
    prediction_id: Codes
    trip: Codes
    names_of: Mapping[Grouping, tuple[str, ...]]
    said: Mapping[int, SaidOfImage]
    mixed: Mapping[int, Mapping[str, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.image_id)

    def codes_of(self, grouping: Grouping) -> Codes:
        """Return the group of each image. (N,)"""
        of = {Grouping.CAMERA: self.answers.camera, Grouping.DAY: self.answers.day, Grouping.TRIP: self.trip}
        return of[grouping]

    def units_of(self, unit: PlanUnit) -> Codes | None:
        """Return the whole unit that each image is drawn with, None where images are drawn one by one. (N,)"""
        if unit is PlanUnit.IMAGE:
            return None
        if unit is PlanUnit.TRIP:
            return np.asarray(np.unique(self.trip, return_inverse=True)[1], dtype=np.int64)
        days = int(self.answers.day.max(initial=0)) + 1
        return np.asarray(np.unique(self.trip * days + self.answers.day, return_inverse=True)[1], dtype=np.int64)

    def decided_by(self, correction_id: int | None) -> npt.NDArray[np.bool_]:
        """Return whether people had decided on each image when a correction was the newest; None: by now. (N,)"""
        held = [key for key, one in self.said.items() if correction_id is None or one.first_id <= correction_id]
        found = np.zeros(len(self), dtype=bool)
        places = self.places_of(held)
        found[places[places >= 0]] = True
        return found

    def places_of(self, image_ids: Sequence[int]) -> Codes:
        """Return the places of images, -1 for one that is not among them. (n,)"""
        wanted = np.asarray(image_ids, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.image_id, wanted), len(self) - 1)
        return np.where(self.image_id[places] == wanted, places, -1)

    def fish_boxed(self) -> npt.NDArray[np.float32] | None:
        """Return the model's fish by each box's own species, (N, S); None where that is the image's everywhere."""
        if not self.mixed:
            return None
        names = {name: place for place, name in enumerate(self.answers.names)}
        found = np.zeros((len(self), len(names)), dtype=np.float32)
        found[np.arange(len(self)), self.answers.species] = self.answers.fish
        for row, boxed in self.mixed.items():
            found[row] = 0.0
            for name, count in boxed.items():
                found[row, names[name]] = count
        return found

    def fish_said(self, places: Sequence[int] | Codes) -> Floats:
        """Return what people said is in images, fish by species. (n, S)"""
        names = {name: place for place, name in enumerate(self.answers.names)}
        found = np.zeros((len(places), len(names)))
        for row, place in enumerate(places):
            for name, count in self.said[int(self.image_id[place])].fish.items():
                found[row, names[name]] += count
        return found


def model_of_job(session: Session, job_id: int, wanted: str | None) -> str:
    """Return the model whose answers a job's figures are made of: the one asked for, the champion, or the only one.

    Raises:
        PlanError: the job has no answer yet, or answers of several models none of which is the champion.
    """
    held = models_of_job(session, job_id)
    if wanted is not None or len(held) == 1:
        return wanted or held[0]
    if not held:
        raise PlanError(f"job {job_id}: no image has an answer yet; cli status {job_id} shows how far it is")
    champion = champion_id(session)
    if champion not in held:
        raise PlanError(f"job {job_id}: answered by models {', '.join(held)}; name one with --model")
    return str(champion)


def load_frame(
    session: Session, job_id: int, *, model_version: str, label_set: LabelSet, last_prediction_id: int | None = None
) -> JobFrame:
    """Return a job as one model answered it. last_prediction_id: as it was when that was the newest.

    Raises:
        PlanError: the model answered no image of the job.
    """
    held = job_answers(session, job_id, model_version=model_version, last_prediction_id=last_prediction_id)
    if not len(held):
        raise PlanError(f"job {job_id}: model {model_version} has answered none of its images")
    said = said_of_images(session, job_id)
    names = _names(session, held, said, model_version=model_version, label_set=label_set)
    first = _first_of_each(_column(held.image_id), _column(held.prediction_id))
    return JobFrame(
        job_id=job_id,
        model_version=model_version,
        answers=_answers(held, names).only(first),
        image_id=_column(held.image_id)[first],
        prediction_id=_column(held.prediction_id)[first],
        trip=_column(held.trip)[first],
        names_of={
            Grouping.CAMERA: held.camera_names.names,
            Grouping.DAY: tuple(name or "no date" for name in held.day_names.names),
            Grouping.TRIP: held.trip_names.names,
        },
        said=said,
        mixed=_moved(held.mixed, first),
    )


def confusion_of(frame: JobFrame) -> Confusion:
    """Return where wrong answers belong, as far as the reviews of this job tell."""
    names = frame.answers.names
    place_of = {name: place for place, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    places = np.flatnonzero(frame.decided_by(None))
    for place in places.tolist():
        truth = place_of[frame.said[int(frame.image_id[place])].species]
        counts[frame.answers.species[place], truth] += 1.0
    answered = np.bincount(frame.answers.species, minlength=len(names)).astype(np.float64)
    return confusion_from(names, answered, counts)


def share_of_wrong_species(frame: JobFrame) -> float:
    """Return how much of the error probability is the species', by the reviews of this job; 1 before there are any.

    An answer is wrong for its species or for its box, and only the species moves a total.
    """
    places = np.flatnonzero(frame.decided_by(None))
    named = frame.answers.names
    wrong = sum(
        named[frame.answers.species[place]] != frame.said[int(frame.image_id[place])].species
        for place in places.tolist()
    )
    told = float(frame.answers.error_probability[places].sum())
    return float(min(1.0, (wrong + _ANSWERS_ASSUMED) / (told + _ANSWERS_ASSUMED)))


def wrong_of(session: Session, frame: JobFrame, places: Codes) -> Floats:
    """Return whether the answers to some decided images were wrong, 0 or 1. (n,)

    The definition is that of `is_wrong`; of an image that lies nowhere any more the species alone tells.
    """
    candidates = load_candidates(session, frame.prediction_id[places].tolist(), with_heatmaps=False)
    labels: dict[str, ImageLabel | None] = {}
    ids = frame.image_id[places].tolist()
    for start in range(0, len(ids), _IDS_A_QUERY):
        found = current_corrections(session, ids[start : start + _IDS_A_QUERY])
        labels.update({sha256: correction.label for sha256, correction in found.items()})
    wrong = np.zeros(len(places))
    for row, place in enumerate(places.tolist()):
        candidate = candidates.get(int(frame.prediction_id[place]))
        label = labels.get(candidate.sha256) if candidate is not None else None
        if candidate is not None and label is not None:
            wrong[row] = is_wrong(candidate.species, [one.detection for one in candidate.detections], label)
        else:
            named = frame.answers.names[frame.answers.species[place]]
            wrong[row] = named != frame.said[int(frame.image_id[place])].species
    return wrong


def _names(
    session: Session, held: JobAnswers, said: Mapping[int, SaidOfImage], *, model_version: str, label_set: LabelSet
) -> tuple[str, ...]:
    """Return every species that the project, the model or a person named."""
    known = label_set_of_models(session, [model_version], default=label_set).names
    told = (name for one in said.values() for name in (one.species, *one.fish))
    return tuple(dict.fromkeys((*label_set.names, *known, *held.species_names.names, *told)))


def _moved(mixed: Mapping[int, Mapping[str, int]], kept: Codes) -> dict[int, Mapping[str, int]]:
    """Return what is held of places by where these come to lie. kept: (N,) the places that stay, in order."""
    if not mixed:
        return {}
    rows = np.flatnonzero(np.isin(kept, list(mixed))).tolist()
    return {row: mixed[int(kept[row])] for row in rows}


def _first_of_each(image_id: Codes, prediction_id: Codes) -> Codes:
    """Return the place of the oldest answer to each image, by the number of the image.

    One model may have answered an image with several parameters, and a content may lie in a job twice.
    """
    order = np.lexsort((prediction_id, image_id))
    return np.asarray(order[np.unique(image_id[order], return_index=True)[1]])


def _answers(held: JobAnswers, names: tuple[str, ...]) -> Answers:
    place_of = {name: place for place, name in enumerate(names)}
    by_code = np.array([place_of[name] for name in held.species_names.names], dtype=np.int64)
    return Answers(
        names=names,
        species=by_code[_column(held.species)],
        fish=np.frombuffer(held.fish, dtype=np.float64),
        error_probability=np.frombuffer(held.error_probability, dtype=np.float64),
        camera=_column(held.camera),
        day=_column(held.day),
    )


def _column(values: object) -> Codes:
    return np.frombuffer(values, dtype=np.int64)  # type: ignore[call-overload, no-any-return]
