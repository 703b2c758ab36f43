"""Sequences, tracks and the animals they are joined to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from db.domain.boxes import Box
from worker.events.cut import cut_sequence
from worker.events.follow import find_animals
from worker.events.fuse import best_image_species, fused_species, majority_species
from worker.events.sightings import CameraSequence, Floats, SequenceImage, Sighting, Track
from worker.events.steps import INPUTS, MAX_STEPS, StepInputs
from worker.events.tracks import TrackerSettings, track
from worker.models.recurrent import StepDecision

SURE = (0.9, 0.1)


def test_what_moves_evenly_is_one_track_even_where_it_does_not_overlap_itself() -> None:
    # 40 px a step, 30 px wide: neighbouring boxes do not touch; from the second step on its speed is known.
    going = _sequence([[_at(100.0 + 20 * step)] if step < 2 else [_at(120.0 + 40 * (step - 1))] for step in range(6)])

    assert [len(one.sightings) for one in track(going, TrackerSettings(max_shift=0.7))] == [6]


def test_two_that_cross_keep_their_own_track() -> None:
    # One goes right on y = 100, one left on y = 112; between images 2 and 3 they pass each other.
    images = [[_at(100.0 + 10 * step, y=100), _at(150.0 - 10 * step, y=112)] for step in range(6)]

    tracks = track(_sequence(images), TrackerSettings())

    ends = [(one.sightings[0].box.x_min, one.sightings[-1].box.x_min) for one in tracks]
    assert ends == [(100.0, 150.0), (150.0, 100.0)]


def test_a_track_is_over_after_the_time_it_may_be_lost() -> None:
    images = [[_at(100.0)], [_at(100.0)], [], [], [_at(100.0)]]

    assert len(track(_sequence(images), TrackerSettings(lost_s=0.35))) == 1
    assert len(track(_sequence(images), TrackerSettings(lost_s=0.25))) == 2


def test_every_sighting_is_in_exactly_one_track() -> None:
    rng = np.random.default_rng(3)
    images = [[_at(*rng.uniform(0, 400, 2)) for _ in range(rng.integers(0, 4))] for _ in range(30)]
    sequence = _sequence(images)

    tracks = track(sequence, TrackerSettings())

    held = sorted(sighting.detection_id for one in tracks for sighting in one.sightings)
    assert held == sorted(sighting.detection_id for sighting in sequence.sightings)
    assert all(np.all(np.diff([sighting.time_s for sighting in one.sightings]) > 0) for one in tracks)


def test_a_camera_is_cut_where_nothing_was_seen_for_a_while() -> None:
    sequence = _sequence([[], [_at(10)], [], [_at(10)], *([[]] * 60), [_at(10)], []])

    parts = cut_sequence(sequence, quiet_s=5.0)

    assert [[image.key for image in part.images] for part in parts] == [[1, 2, 3], [64]]


def test_one_image_and_none_are_sequences_too() -> None:
    assert [len(part.images) for part in cut_sequence(_sequence([[_at(10)]]))] == [1]
    assert cut_sequence(_sequence([[], []])) == []
    assert find_animals(_sequence([]), None) == []
    assert len(find_animals(_sequence([[_at(10)]]), None)) == 1


def test_species_are_fused_by_all_sightings_and_a_hundred_alike_are_no_certainty() -> None:
    mostly = _track([(0.4, 0.6), (0.7, 0.3), (0.7, 0.3)])
    many = _track([(0.6, 0.4)] * 100)

    # Log odds: ln(.4/.6) + 2 ln(.7/.3) = 1.289.
    assert fused_species(mostly)[0] == pytest.approx(1 / (1 + np.exp(-1.289)), abs=1e-3)
    # Worth five: ln(.6/.4) x 5 = 2.027.
    assert fused_species(many)[0] == pytest.approx(1 / (1 + np.exp(-2.027)), abs=1e-3)
    assert majority_species(mostly) == 0
    assert best_image_species(mostly).tolist() == [0.7, 0.3]


def test_a_surer_sighting_counts_more() -> None:
    sure, unsure = _sighting((0.2, 0.8), confidence=0.9), _sighting((0.8, 0.2), confidence=0.1)

    assert fused_species(Track((sure, unsure)))[1] > 0.8


def test_the_same_place_after_a_gap_is_one_animal_when_the_network_says_so_and_two_when_not() -> None:
    sequence = _sequence([[_at(100.0)], [], [], [], [], [], [], [], [], [], [], [], [_at(104.0)]])

    same = find_animals(sequence, _Says(same=0.9), least_s=0.0)
    different = find_animals(sequence, _Says(same=0.01), least_s=0.0)

    assert [len(animal.track.sightings) for animal in same] == [2]
    assert [animal.parts for animal in same] == [2]
    assert [len(animal.track.sightings) for animal in different] == [1, 1]


def test_of_two_that_begin_together_each_animal_gets_one() -> None:
    gap: list[list[Sighting]] = [[]] * 15
    sequence = _sequence([[_at(100.0), _at(300.0)], *gap, [_at(104.0), _at(304.0)]])

    animals = find_animals(sequence, _SaysByPlace(), least_s=0.0)

    starts = [[sighting.box.x_min for sighting in animal.track.sightings] for animal in animals]
    assert starts == [[100.0, 104.0], [300.0, 304.0]]


def test_what_is_seen_for_a_moment_only_is_no_animal_where_images_are_many() -> None:
    seen_for = {images: _sequence([[_at(100.0)]] * images + [[]] * 5) for images in (9, 10)}

    counts = {images: len(find_animals(sequence, _Says(same=0.9))) for images, sequence in seen_for.items()}

    # Ten a second: ten images are enough, however many 2.5 seconds hold.
    assert counts == {9: 0, 10: 1}


def test_what_is_no_animal_is_in_no_event() -> None:
    assert find_animals(_sequence([[_at(100.0)]]), _Says(same=0.0, none=0.8)) == []


def test_inputs_are_finite_near_zero_and_keep_the_last_steps_of_a_long_history() -> None:
    tracks = [Track((_at(100.0 + 5 * step, time_s=10.0 * step),)) for step in range(MAX_STEPS + 3)]
    sequence = _sequence([[_at(10)], [], [_at(10)]])

    steps, species = StepInputs(sequence).of_history(tracks)

    assert steps.shape == (MAX_STEPS, INPUTS)
    assert species.shape == (MAX_STEPS, 2)
    assert np.all(np.isfinite(steps))
    assert np.abs(steps).max() < 5


class _Says:
    """Says the same of every hypothesis."""

    def __init__(self, *, same: float, none: float = 0.05) -> None:
        self._same, self._none = same, none

    def ask(self, histories: Sequence[Sequence[Track]], inputs: StepInputs) -> tuple[Floats, Floats]:
        decisions = np.zeros((len(histories), 3))
        decisions[:, StepDecision.NONE], decisions[:, StepDecision.SAME] = self._none, self._same
        decisions[:, StepDecision.NEW] = 1 - self._none - self._same
        return decisions, np.tile(SURE, (len(histories), 1))


class _SaysByPlace:
    """Says "same" the surer the nearer, and never less than even: only the pairing decides."""

    def ask(self, histories: Sequence[Sequence[Track]], inputs: StepInputs) -> tuple[Floats, Floats]:
        last = np.array([one[-1].sightings[0].box.x_min for one in histories])
        before = np.array([one[-2].sightings[-1].box.x_min if len(one) > 1 else 1e6 for one in histories])
        decisions = np.zeros((len(histories), 3))
        decisions[:, StepDecision.SAME] = 0.55 + 0.4 * np.exp(-np.abs(last - before) / 50)
        return decisions, np.tile(SURE, (len(histories), 1))


_numbers = iter(range(1_000_000))


def _at(x: float, y: float = 100.0, *, time_s: float = 0.0) -> Sighting:
    return Sighting(next(_numbers), 0, time_s, Box(x, y, x + 30, y + 12), 0.8, SURE, (0.0, 1.0))


def _sighting(species: tuple[float, ...], *, confidence: float = 0.8) -> Sighting:
    return Sighting(next(_numbers), 0, 0.0, Box(0, 0, 30, 12), confidence, species)


def _track(species: Sequence[tuple[float, ...]]) -> Track:
    return Track(tuple(_sighting(one) for one in species))


def _sequence(images: Sequence[Sequence[Sighting]]) -> CameraSequence:
    """Ten images a second."""
    taken = [
        SequenceImage(
            number,
            number / 10,
            tuple(
                Sighting(seen.detection_id, number, number / 10, seen.box, seen.confidence, seen.species, seen.look)
                for seen in sightings
            ),
        )
        for number, sightings in enumerate(images)
    ]
    return CameraSequence("boat", 640, 360, tuple(taken))
