"""Finds the events of a job: its stored detections in the order of time, joined to animals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from db.domain.answers import fish_shares, model_answer
from db.domain.events import EventSighting, NewEvent
from db.domain.results import ImageResult, StoredDetection, StoredPrediction
from db.domain.species import NO_FISH
from db.errors import TaffrailError
from db.settings import Settings
from worker.events.follow import Animal, Follower, find_animals
from worker.events.looks import look_of, standardised
from worker.events.sightings import CameraSequence, Sighting
from worker.events.steady import without_steady
from worker.events.timeline import TimedImage, make_timeline
from worker.images.decode import decode_image
from worker.images.read import read_image_file
from worker.storage.artifacts import artifact_path

Progress = Callable[[str, int, int], None]
_CROP_HW = (64, 64)


@dataclass(frozen=True)
class FoundEvents:
    """What was found. notes: a line for whatever was odd or left out. images: those that had a place in time."""

    events: tuple[NewEvent, ...]
    notes: tuple[str, ...]
    images: int


def find_events(
    results: Iterable[ImageResult],
    follower: Follower | None,
    *,
    settings: Settings,
    interval_s: float | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> FoundEvents:
    """Return the animals in some images. follower: None goes by tracks alone. interval_s: see `make_timeline`."""
    species: tuple[str, ...] = ()
    models: dict[int, str] = {}
    images = []
    for number, result in enumerate(results, start=1):
        if result.prediction is not None and result.width_px and result.height_px:
            species = species or fish_of(result.prediction)
            models[result.item_id] = result.prediction.model_version
            images.append(_timed(result, species, settings))
        progress("reading detections", number, 0)
    timeline = make_timeline(images, interval_s=interval_s)
    events: list[NewEvent] = []
    notes = list(timeline.notes)
    for done, (sequence, origin) in enumerate(_standardised(timeline.sequences), start=1):
        moving = without_steady(sequence)
        steady = len(sequence.sightings) - len(moving.sightings)
        if steady:
            notes.append(f"{sequence.camera}: {steady} boxes at one place for most of the time are gear, not animals")
        animals = find_animals(moving, follower)
        events += [_event(animal, sequence.camera, origin, species, models) for animal in animals]
        progress("joining cameras", done, len(timeline.sequences))
    placed = sum(len(sequence.images) for sequence, _ in timeline.sequences)
    return FoundEvents(tuple(events), tuple(notes), placed)


def fish_of(prediction: StoredPrediction) -> tuple[str, ...]:
    """Return the species that a sighting may be of: the label set without "no fish"."""
    return tuple(name for name in prediction.species if name != NO_FISH)


def _timed(result: ImageResult, species: tuple[str, ...], settings: Settings) -> TimedImage:
    prediction = result.prediction
    assert prediction is not None and result.width_px and result.height_px
    boxed = {box.detection_id for box in model_answer(prediction).boxes}
    sightings = tuple(
        Sighting(
            detection_id=found.detection_id,
            image=result.item_id,
            time_s=0.0,  # the timeline's to set
            box=found.detection.box,
            confidence=found.detection.confidence,
            species=_species(found, prediction, species),
            look=_look(found, settings),
        )
        for found in prediction.detections
        if found.detection_id in boxed
    )
    size_px = (result.width_px, result.height_px)
    return TimedImage(result.item_id, result.camera, result.file, result.captured_at, size_px, sightings)


def _species(found: StoredDetection, prediction: StoredPrediction, species: tuple[str, ...]) -> tuple[float, ...]:
    """Return a detection's probabilities of the species; those that another model version did not know have 0."""
    shares = fish_shares(prediction, found)
    return tuple(shares.get(name, 0.0) for name in species)


def _look(found: StoredDetection, settings: Settings) -> tuple[float, ...]:
    """Return what a detection's crop looks like; nothing where none was kept or it is on another machine."""
    if found.crop_file is None:
        return ()
    try:
        content = read_image_file(artifact_path(settings, found.crop_file)).content
        return look_of(decode_image(content, at_least_hw=_CROP_HW).pixels)
    except TaffrailError:
        return ()


def _standardised(
    placed: Iterable[tuple[CameraSequence, datetime | None]],
) -> Iterator[tuple[CameraSequence, datetime | None]]:
    by_camera: dict[str, list[tuple[CameraSequence, datetime | None]]] = defaultdict(list)
    for sequence, origin in placed:
        by_camera[sequence.camera].append((sequence, origin))
    for held in by_camera.values():
        same = standardised([sequence for sequence, _ in held])
        yield from zip(same, (origin for _, origin in held), strict=True)


def _event(
    animal: Animal, camera: str, origin: datetime | None, species: tuple[str, ...], models: dict[int, str]
) -> NewEvent:
    sightings = animal.track.sightings
    named = int(np.argmax(animal.species))
    best = max(sightings, key=lambda seen: seen.confidence * (0.2 + seen.species[named]) * seen.box.area_px**0.5)
    return NewEvent(
        camera=camera,
        species=species[named],
        species_names=species,
        probabilities=tuple(float(share) for share in animal.species),
        started_at=_moment(origin, sightings[0].time_s),
        ended_at=_moment(origin, sightings[-1].time_s),
        lasts_s=sightings[-1].time_s - sightings[0].time_s,
        sightings=tuple(EventSighting(seen.image, seen.detection_id) for seen in sightings),
        best=EventSighting(best.image, best.detection_id),
        model_version=models[best.image],
    )


def _moment(origin: datetime | None, time_s: float) -> str | None:
    return None if origin is None else (origin + timedelta(seconds=time_s)).isoformat(timespec="milliseconds")
