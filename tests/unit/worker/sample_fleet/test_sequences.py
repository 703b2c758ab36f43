"""Planned sequences: what happens before a camera, and the images that are drawn of it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from worker.images.errors import ImageFile
from worker.images.times import time_taken
from worker.sample_fleet.oracle import read_truth
from worker.sample_fleet.plan_sequences import plan_camera
from worker.sample_fleet.write import SampleError
from worker.sample_fleet.write_sequences import write_sequences


def test_a_plan_is_the_same_for_the_same_seed_and_another_for_another_camera() -> None:
    assert plan_camera(3, seed=1, duration_s=300) == plan_camera(3, seed=1, duration_s=300)
    assert plan_camera(3, seed=1, duration_s=300).animals != plan_camera(4, seed=1, duration_s=300).animals


def test_everything_that_makes_counting_hard_happens() -> None:
    plans = [plan_camera(number, seed=1, duration_s=1800) for number in range(6)]
    animals = [animal for plan in plans for animal in plan.animals]

    assert any(plan.stops_s for plan in plans)
    assert any(plan.bumps for plan in plans)
    assert any(plan.sprays_s for plan in plans)
    assert any(cover.hidden == 1.0 for animal in animals for cover in animal.covers)
    assert any(animal.turned_s for animal in animals)
    assert any(one.species == other.species for plan in plans for one, other in pairwise(plan.animals))
    assert any(len(plan.seen_at(time_s)) > 1 for plan in plans for time_s in range(0, 1800, 7))


def test_a_stopped_recorder_takes_no_images_and_an_animal_that_came_then_is_not_in_the_truth() -> None:
    plans = [plan_camera(number, seed=1, duration_s=1800) for number in range(6)]
    plan = next(plan for plan in plans if len(plan.recorded()) < len(plan.animals))

    times_s = list(plan.image_times(1.0))

    assert all(not start <= time_s < end for time_s in times_s for start, end in plan.stops_s)
    lost = {animal.animal for animal in plan.animals} - {animal.animal for animal in plan.recorded()}
    assert all(animal.animal not in lost for time_s in plan.image_times(10.0) for animal, _ in plan.seen_at(time_s))


def test_drawn_sequences_tell_their_time_by_name_and_name_every_animal(tmp_path: Path) -> None:
    done = write_sequences(tmp_path / "fleet", images=8, cameras=1, per_second=0.2, seed=1, scale=0.2, processes=1)

    truth = json.loads((tmp_path / "fleet" / "truth.json").read_text())
    animals = {animal["animal"]: animal["species"] for animal in truth["animals"]}
    shown = [(fish["animal"], fish["species"]) for image in truth["images"] for fish in image["fish"]]
    assert done.images == 8
    assert shown
    assert all(animals[animal] == species for animal, species in shown)
    name = truth["images"][1]["file"]
    assert time_taken(None, ImageFile(b"", ""), name.encode()) == ("2024-05-06T06:00:05.000", "name")
    assert len(read_truth(tmp_path / "fleet" / "truth.json")) == 8


def test_fewer_images_than_cameras_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="found 1 images and 2 cameras"):
        write_sequences(tmp_path / "fleet", images=1, cameras=2, per_second=1.0, seed=1)
