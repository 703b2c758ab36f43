"""Compares what events count with simpler counts, on planned cameras that nothing was learnt from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from db.domain.event_figures import ComparedCounts
from worker.events.count import (
    count_by_mean_length,
    count_error,
    count_most_at_once,
    evaluate_events,
    mean_images_an_animal,
    true_counts,
)
from worker.events.cut import cut_sequence
from worker.events.follow import Animal, Follower, find_animals
from worker.events.fuse import best_image_species, fused_species, majority_species
from worker.events.hypotheses import LabelledSequence, animal_of_track
from worker.events.learn import planned_sequences
from worker.events.sightings import CameraSequence
from worker.events.steady import without_steady
from worker.events.tracks import TrackerSettings, track

RATES = (10.0, 1.0, 0.2)
# Simpler counts have settings as well; they are chosen on cameras that were learnt from.
TUNED_ON, EVALUATED_ON = range(0, 4), range(100, 108)
DURATION_S = 600.0
_QUIET_S = (3.0, 5.0, 10.0, 20.0, 60.0)
Progress = Callable[[str, int, int], None]


def compare_counts(
    follower: Follower,
    *,
    seed: int = 1,
    rates: Sequence[float] = RATES,
    evaluated_on: range = EVALUATED_ON,
    progress: Progress = lambda stage, done, total: None,
) -> list[ComparedCounts]:
    """Return the figures at each rate, images a second."""
    found = []
    for done, per_second in enumerate(rates, start=1):
        found.append(_at_rate(per_second, follower, seed=seed, evaluated_on=evaluated_on))
        progress("counting animals", done, len(rates))
    return found


def _at_rate(per_second: float, follower: Follower, *, seed: int, evaluated_on: range) -> ComparedCounts:
    tuned = planned_sequences(TUNED_ON, per_second=per_second, duration_s=DURATION_S, seed=seed)
    unseen = planned_sequences(evaluated_on, per_second=per_second, duration_s=DURATION_S, seed=seed)
    length = mean_images_an_animal(tuned)
    quiet_s = min(_QUIET_S, key=lambda quiet: _most_error(tuned, quiet))
    settings, least = _best_tracker(tuned)
    alone = [_tracker_animals(one.sequence, settings, least) for one in unseen]
    animals = [find_animals(without_steady(one.sequence), follower) for one in unseen]
    by_length = [count_by_mean_length(one, images_an_animal=length) for one in unseen]
    return ComparedCounts(
        per_second=per_second,
        named=float(np.mean([right for one in unseen for right in _named_right(one)])),
        by_length=count_error(by_length, [true_counts(one) for one in unseen]),
        most_at_once=_most_error(unseen, quiet_s),
        tracker=evaluate_events(alone, unseen),
        events=evaluate_events(animals, unseen),
        species=_species_ways(animals, unseen),
    )


def _named_right(labelled: LabelledSequence) -> Iterator[bool]:
    for sighting in labelled.sequence.sightings:
        animal = labelled.animal_of[sighting.detection_id]
        if animal is not None and animal in labelled.species_of:
            yield int(np.argmax(sighting.species)) == labelled.species_of[animal]


def _most_error(sequences: Sequence[LabelledSequence], quiet_s: float) -> float:
    counts = [count_most_at_once(one, quiet_s=quiet_s) for one in sequences]
    return count_error(counts, [true_counts(one) for one in sequences])


def _best_tracker(tuned: Sequence[LabelledSequence]) -> tuple[TrackerSettings, int]:
    """Return the tracker's best settings, and of how many sightings a track must be to count, on learnt cameras."""

    def settings_of(choice: tuple[float, float, int]) -> TrackerSettings:
        return TrackerSettings(lost_s=choice[0], min_iou=0.2, max_shift=choice[1], max_growth=3.0)

    def error(choice: tuple[float, float, int]) -> float:
        found = [_tracker_animals(one.sequence, settings_of(choice), choice[2]) for one in tuned]
        return evaluate_events(found, tuned).error

    best = min(itertools.product((1.0, 5.0, 20.0), (0.35, 1.0), (1, 3, 10)), key=error)
    return settings_of(best), best[2]


def _tracker_animals(sequence: CameraSequence, settings: TrackerSettings, least: int) -> list[Animal]:
    tracks = [one for part in cut_sequence(sequence) for one in track(part, settings)]
    return [Animal(one, fused_species(one), 1) for one in tracks if len(one.sightings) >= least]


def _species_ways(found: Sequence[Sequence[Animal]], truth: Sequence[LabelledSequence]) -> dict[str, float]:
    """Return the share of animals that each way of naming them names right."""
    right: dict[str, list[bool]] = {"network": [], "fused": [], "best image": [], "majority": []}
    for animals, labelled in zip(found, truth, strict=True):
        for animal in animals:
            shown = animal_of_track(animal.track, labelled.animal_of)
            if shown is None or shown not in labelled.species_of:
                continue
            species = labelled.species_of[shown]
            by_network = animal.species if animal.by_network is None else animal.by_network
            right["network"].append(int(np.argmax(by_network)) == species)
            right["fused"].append(int(np.argmax(fused_species(animal.track))) == species)
            right["best image"].append(int(np.argmax(best_image_species(animal.track))) == species)
            right["majority"].append(majority_species(animal.track) == species)
    return {name: float(np.mean(told)) for name, told in right.items()}
