"""Animals from reviewed images: each event is shared out among its images, and a plan's images tell how many."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from annotator.catch.animals import animal_shares
from annotator.catch.frame import JobFrame
from annotator.estimates.figures import ALL_FISH, Sample, catch_figures
from annotator.plans.expected import Answers
from db.domain.catch import Grouping
from db.domain.events import Event, EventSighting, EventState
from db.store.catch import SaidOfImage
from db.store.event_images import EventImages

NAMES = ("ALB", "BET", "NoF")
Boxes = Mapping[int, tuple[tuple[int | None, str], ...]]


def event(number: int, species: str, state: EventState = EventState.UNSEEN, said: str | None = None) -> Event:
    best = EventSighting(number, number)
    return Event(number, number, "cam", species, 0.9, None, None, 0.0, 1, best, "a.jpg", "m1", None, state, said, None)


def frame_of(images: int, said: Mapping[int, SaidOfImage]) -> JobFrame:
    zeros = np.zeros(images, dtype=np.int64)
    answers = Answers(NAMES, zeros + 2, np.zeros(images), np.full(images, 0.2), zeros, zeros)
    ids = np.arange(1, images + 1)
    return JobFrame(1, "m1", answers, ids, ids, zeros, {Grouping.CAMERA: ("cam",)}, said)


def held_of(events: Mapping[int, tuple[Event, list[int]]], boxes: Boxes, images: int) -> EventImages:
    """Detection 1000 e + i is event e's on image i; image i was taken in second i."""
    return EventImages(
        events=tuple(one for one, _ in events.values()),
        images={key: frozenset(shown) for key, (_, shown) in events.items()},
        event_of={1_000 * key + image: key for key, (_, shown) in events.items() for image in shown},
        boxes=boxes,
        moments={image: f"2024-01-01T{image:08d}" for image in range(1, images + 1)},
    )


def test_the_shares_of_an_event_sum_to_one_animal_and_a_persons_word_counts():
    events = {
        1: (event(1, "ALB"), [1, 2, 3]),
        2: (event(2, "ALB", EventState.CONFIRMED, "BET"), [2, 3]),
        3: (event(3, "BET", EventState.NO_ANIMAL), [5]),
    }

    found = animal_shares(frame_of(6, {}), held_of(events, {}, 6))

    assert found.predicted.sum(axis=0).tolist() == pytest.approx([1.0, 1.0, 0.0])
    assert found.typical == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert found.of_none == pytest.approx(1 / 2.5)


def test_a_fish_that_an_event_missed_in_one_image_is_that_animal_and_one_out_of_all_is_another():
    events = {1: (event(1, "ALB"), [1, 2, 4, 5])}
    boxes: Boxes = {2: ((1_002, "BET"),), 3: ((None, "ALB"),), 7: ((None, "BET"),)}
    said = {image: SaidOfImage(shown[0][1], {}, 1) for image, shown in boxes.items()}

    found = animal_shares(frame_of(7, said), held_of(events, boxes, 7)).said([1, 2, 6])

    assert found.tolist() == [[0.0, 0.25, 0.0], [0.0, 0.0, 0.0], [0.0, 0.25, 0.0]]


def test_intervals_of_animals_hold_the_truth():
    held = 0
    seasons = 40
    for season in range(seasons):
        rng = np.random.default_rng(season)
        found, true = _season(rng)
        held += found.low <= true <= found.high

    assert held / seasons >= 0.9


def _season(rng: np.random.Generator):  # type: ignore[no-untyped-def]
    """Return the estimate of a season's animals from 250 of 3,000 images, and how many there are."""
    images, animals = 3_000, 150
    starts, lasts = rng.integers(1, images - 40, animals), rng.integers(4, 30, animals)
    missed, false = rng.random(animals) < 0.1, 15
    events: dict[int, tuple[Event, list[int]]] = {}
    boxes: dict[int, list[tuple[int | None, str]]] = {image: [] for image in range(1, images + 1)}
    for animal in range(animals):
        there = range(int(starts[animal]), int(starts[animal] + lasts[animal]))
        seen = [] if missed[animal] else [image for image in there if rng.random() < 0.85] or [there[0]]
        if seen:
            events[animal + 1] = (event(animal + 1, "ALB"), seen)
        for image in there:
            boxes[image].append((1_000_000 + 0 if image not in seen else 1_000 * (animal + 1) + image, "ALB"))
    for number in range(animals + 1, animals + 1 + false):
        start = int(rng.integers(1, images - 10))
        events[number] = (event(number, "ALB"), list(range(start, start + 6)))
    plan = np.sort(rng.choice(images, 250, replace=False))
    drawn = {int(place) + 1: tuple(boxes[int(place) + 1]) for place in plan}
    said = {image: SaidOfImage("ALB" if shown else "NoF", {}, 1) for image, shown in drawn.items()}
    frame = frame_of(images, said)
    shares = animal_shares(frame, held_of(events, {key: one for key, one in drawn.items() if one}, images))
    nothing = np.zeros(0, dtype=np.int64)
    sample = Sample(
        names=NAMES,
        species=frame.answers.species,
        fish=frame.answers.fish,
        known=nothing,
        known_truth=np.zeros((0, 3)),
        reviewed=plan,
        reviewed_truth=shares.said(plan),
        wrong=np.zeros(len(plan)),
        probability=np.full(len(plan), 250 / images),
        shares=shares.predicted,
        typical=shares.typical,
    )
    [figure] = catch_figures(sample, (ALL_FISH,), np.zeros(images, dtype=np.int64))
    assert figure.estimate is not None
    return figure.estimate, animals
