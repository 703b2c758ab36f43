"""The figures of docs/events.md: animals counted once on cameras never learnt from, against simpler counts.

`python -m bench.events [--cell gru] [--model FILE]`; about ten minutes on two idle cores. Sightings are simulated from
the truth of planned sequences, see worker/events/simulated.py.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from worker.events.count import (
    CountFigures,
    count_by_mean_length,
    count_error,
    count_most_at_once,
    evaluate_events,
    mean_images_an_animal,
    true_counts,
)
from worker.events.cut import cut_sequence
from worker.events.follow import Animal, NetworkFollower, find_animals
from worker.events.fuse import best_image_species, fused_species, majority_species
from worker.events.hypotheses import LabelledSequence, animal_of_track
from worker.events.learn import LearnSettings, learn_follower, planned_sequences
from worker.events.sightings import CameraSequence
from worker.events.tracks import TrackerSettings, track
from worker.events.train_follower import FollowerSettings
from worker.models.keras_import import keras
from worker.models.recurrent import RecurrentCell

RATES = (10.0, 1.0, 0.2)
TUNED_ON, EVALUATED_ON = range(0, 6), range(100, 108)
TUNED_S, EVALUATED_S = 600.0, 600.0
QUIET_S = (3.0, 5.0, 10.0, 20.0, 60.0)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", default=RecurrentCell.GRU, type=RecurrentCell, choices=list(RecurrentCell))
    parser.add_argument("--model", type=Path, help="kept there, and taken from there when it is")
    asked = parser.parse_args()
    follower = NetworkFollower(_model(asked.cell, asked.model))
    rows = [row for per_second in RATES for row in _rows(per_second, follower)]
    head = ("images a second", "count", "error", "counted once", "species right", "looks an animal")
    for row in (head, ("---",) * len(head), *rows):
        print(f"| {' | '.join(row)} |")


def _model(cell: RecurrentCell, file: Path | None) -> Any:
    if file is not None and file.exists():
        return keras.saving.load_model(file)
    started = time.perf_counter()
    model = learn_follower(LearnSettings(follower=FollowerSettings(cell=cell)))
    print(f"learnt in {time.perf_counter() - started:.0f} s", flush=True)
    if file is not None:
        model.save(file)
    return model


def _rows(per_second: float, follower: NetworkFollower) -> Iterator[tuple[str, ...]]:
    tuned = planned_sequences(TUNED_ON, per_second=per_second, duration_s=TUNED_S, seed=1)
    evaluated = planned_sequences(EVALUATED_ON, per_second=per_second, duration_s=EVALUATED_S, seed=1)
    true = [true_counts(one) for one in evaluated]
    shown = [seen for one in evaluated for seen in _named_right(one)]
    rate = f"{per_second:g}"
    print(f"{rate}/s: {len(shown)} sightings, {np.mean(shown):.3f} name their species", flush=True)
    length = mean_images_an_animal(tuned)
    counts = [count_by_mean_length(one, images_an_animal=length) for one in evaluated]
    yield (rate, "images / mean length", f"{count_error(counts, true):.3f}", "", "", "")
    quiet_s = min(QUIET_S, key=lambda quiet: _most_error(tuned, quiet))
    yield (rate, "most at once", f"{_most_error(evaluated, quiet_s):.3f}", "", "", "")
    settings, least = _best_tracker(tuned)
    alone = [_tracker_animals(one.sequence, settings, least) for one in evaluated]
    yield (rate, "tracker alone", *_cells(evaluate_events(alone, evaluated)))
    started = time.perf_counter()
    animals = [find_animals(one.sequence, follower) for one in evaluated]
    print(f"  followed in {time.perf_counter() - started:.0f} s", flush=True)
    yield (rate, "events", *_cells(evaluate_events(animals, evaluated)))
    for name, right in _species_ways(animals, evaluated).items():
        yield (rate, f"  species by {name}", "", "", f"{right:.3f}", "")


def _named_right(labelled: LabelledSequence) -> Iterator[bool]:
    for sighting in labelled.sequence.sightings:
        animal = labelled.animal_of[sighting.detection_id]
        if animal in labelled.species_of:
            yield int(np.argmax(sighting.species)) == labelled.species_of[animal]


def _most_error(sequences: Sequence[LabelledSequence], quiet_s: float) -> float:
    counts = [count_most_at_once(one, quiet_s=quiet_s) for one in sequences]
    return count_error(counts, [true_counts(one) for one in sequences])


def _best_tracker(tuned: Sequence[LabelledSequence]) -> tuple[TrackerSettings, int]:
    """Return the tracker's best settings, and of how many sightings a track must be to count, on learnt cameras."""
    grid = itertools.product((1.0, 4.0, 10.0, 20.0, 40.0), (0.35, 1.0), (1, 2, 3))

    def error(choice: tuple[float, float, int]) -> float:
        lost_s, max_shift, least = choice
        settings = TrackerSettings(lost_s=lost_s, min_iou=0.2, max_shift=max_shift, max_growth=3.0)
        found = [_tracker_animals(one.sequence, settings, least) for one in tuned]
        return evaluate_events(found, tuned).error

    lost_s, max_shift, least = min(grid, key=error)
    return TrackerSettings(lost_s=lost_s, min_iou=0.2, max_shift=max_shift, max_growth=3.0), least


def _tracker_animals(sequence: CameraSequence, settings: TrackerSettings, least: int) -> list[Animal]:
    tracks = [one for part in cut_sequence(sequence) for one in track(part, settings)]
    return [Animal(one, fused_species(one), 1) for one in tracks if len(one.sightings) >= least]


def _species_ways(found: Sequence[Sequence[Animal]], truth: Sequence[LabelledSequence]) -> dict[str, float]:
    """Return how many animals each way of naming them names right."""
    right: dict[str, list[bool]] = {"network": [], "fused": [], "best image": [], "majority": []}
    for animals, labelled in zip(found, truth, strict=True):
        for animal in animals:
            shown = animal_of_track(animal.track, labelled.animal_of)
            if shown not in labelled.species_of:
                continue
            species = labelled.species_of[shown]
            right["network"].append(int(np.argmax(animal.species)) == species)
            right["fused"].append(int(np.argmax(fused_species(animal.track))) == species)
            right["best image"].append(int(np.argmax(best_image_species(animal.track))) == species)
            right["majority"].append(majority_species(animal.track) == species)
    return {name: float(np.mean(told)) for name, told in right.items()}


def _cells(figures: CountFigures) -> tuple[str, ...]:
    return tuple(f"{value:.3f}" for value in (figures.error, figures.once, figures.species, figures.looks))


if __name__ == "__main__":
    main()
