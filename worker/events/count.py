"""Counts animals, and tells how far a count is from the truth: the figures that events are evaluated by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from db.domain.event_figures import CountFigures
from worker.events.cut import cut_sequence
from worker.events.follow import Animal
from worker.events.hypotheses import LabelledSequence, animal_of_track

Counts = dict[int, float]
"""Animals by species, its place in the label set."""


def count_events(animals: Sequence[Animal]) -> Counts:
    """Return how many animals of each species there are."""
    return dict(Counter(int(np.argmax(animal.species)) for animal in animals))


def count_error(counted: Sequence[Counts], true: Sequence[Counts]) -> float:
    """Return the sum over cameras and species of |counted - true|, divided by the true number.

    >>> count_error([{0: 3.0, 1: 1.0}], [{0: 2.0}])
    1.0
    """
    wrong = sum(
        abs(ours.get(species, 0) - theirs.get(species, 0))
        for ours, theirs in zip(counted, true, strict=True)
        for species in {*ours, *theirs}
    )
    return float(wrong / max(sum(sum(theirs.values()) for theirs in true), 1))


def evaluate_events(found: Sequence[Sequence[Animal]], truth: Sequence[LabelledSequence]) -> CountFigures:
    """Return the figures of what was found before some cameras. found: one list a camera, in the order of truth."""
    once = named = stand_for = total = 0
    for animals, labelled in zip(found, truth, strict=True):
        shown = [(animal_of_track(one.track, labelled.animal_of), int(np.argmax(one.species))) for one in animals]
        events_of = Counter(animal for animal, _ in shown if animal is not None)
        once += sum(events_of[animal] == 1 for animal in labelled.species_of)
        named += sum(animal is not None and labelled.species_of[animal] == species for animal, species in shown)
        stand_for += sum(events_of.values())
        total += len(animals)
    count = sum(len(labelled.species_of) for labelled in truth)
    error = count_error([count_events(animals) for animals in found], [true_counts(one) for one in truth])
    return CountFigures(count, total, error, once / count, named / max(stand_for, 1), total / count)


def true_counts(labelled: LabelledSequence) -> Counts:
    """Return how many animals of each species came before a camera, seen or not."""
    return dict(Counter(labelled.species_of.values()))


def count_by_mean_length(labelled: LabelledSequence, *, images_an_animal: float) -> Counts:
    """Return the baseline that divides sightings by the images that an animal is seen in on average."""
    return {species: count / images_an_animal for species, count in _sightings(labelled).items()}


def mean_images_an_animal(sequences: Sequence[LabelledSequence]) -> float:
    """Return in how many images an animal is sighted on average, false alarms among them."""
    sightings = sum(len(one.sequence.sightings) for one in sequences)
    return sightings / sum(len(one.species_of) for one in sequences)


def count_most_at_once(labelled: LabelledSequence, *, quiet_s: float) -> Counts:
    """Return the baseline that counts the most fish of a species seen at once in each sequence."""
    total: Counter[int] = Counter()
    for part in cut_sequence(labelled.sequence, quiet_s=quiet_s):
        most: Counter[int] = Counter()
        for image in part.images:
            here = Counter(int(np.argmax(sighting.species)) for sighting in image.sightings)
            most = most | here
        total += most
    return {species: float(count) for species, count in total.items()}


def _sightings(labelled: LabelledSequence) -> Counter[int]:
    return Counter(int(np.argmax(sighting.species)) for sighting in labelled.sequence.sightings)
