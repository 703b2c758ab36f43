"""Which images show the same moment of one camera; cells of a thumbnail are worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from db.domain.boxes import Box
from db.domain.duplicates import THUMBNAIL_HW, Sighting, one_a_group


def deck(*, brighter: int = 0, fish: int = 0, noise: float = 0.0) -> bytes:
    """A deck of one colour gradient. fish: levels that two cells in the middle differ by."""
    cells = np.zeros((*THUMBNAIL_HW, 3)) + np.linspace(60, 160, THUMBNAIL_HW[1])[None, :, None] + brighter
    cells[4, 7:9] += fish
    cells[::2, ::2] += noise
    return cells.astype(np.uint8).tobytes()


FIRST = Sighting("a", 640, 360, deck(), "2026-01-01T10:00:00", 1, (Box(10, 10, 110, 60),))
SOON = replace(FIRST, captured_at="2026-01-01T10:00:30", thumbnail=deck(noise=4))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(SOON, id="half a minute later"),
        pytest.param(replace(SOON, thumbnail=deck(noise=4, brighter=20)), id="the sun came out"),
        pytest.param(replace(SOON, boxes=(Box(14, 10, 114, 60),)), id="its box a little moved"),
        pytest.param(replace(FIRST, captured_at="2026-02-01T10:00:00", place=900), id="saved again, whenever"),
    ],
)
def test_images_of_one_moment_are_one_group(other: Sighting) -> None:
    assert one_a_group([FIRST, other]) == [[0, 1]]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(SOON, thumbnail=deck(fish=30)), id="another fish on the same deck"),
        pytest.param(replace(SOON, camera="b"), id="another camera"),
        pytest.param(replace(SOON, width_px=1280), id="another size"),
        pytest.param(replace(SOON, captured_at="2026-01-01T10:02:00"), id="two minutes later"),
        pytest.param(replace(SOON, captured_at=None), id="no clock beside one that tells"),
        pytest.param(replace(SOON, boxes=()), id="the model sees no fish"),
        pytest.param(replace(SOON, boxes=(Box(300, 200, 400, 250),)), id="its box elsewhere"),
        pytest.param(replace(SOON, thumbnail=None), id="read before thumbnails were kept"),
    ],
)
def test_what_may_show_something_else_stands_alone(other: Sighting) -> None:
    assert one_a_group([FIRST, other]) == [[0], [1]]


def test_without_clocks_files_found_near_each_other_are_a_burst() -> None:
    near, far = (replace(SOON, captured_at=None, place=place) for place in (5, 50))

    assert one_a_group([replace(FIRST, captured_at=None), near, far]) == [[0, 1], [2]]


def test_a_chain_of_neighbours_does_not_make_a_day_one_group() -> None:
    minutes = [
        replace(FIRST, captured_at=f"2026-01-01T10:{minute:02}:00", thumbnail=deck(noise=4 * minute))
        for minute in range(4)
    ]

    assert one_a_group(minutes) == [[0, 1], [2, 3]]


def test_two_boxes_need_two_partners() -> None:
    two = replace(FIRST, boxes=(Box(10, 10, 110, 60), Box(12, 10, 112, 60)))
    one_gone = replace(SOON, boxes=(Box(10, 10, 110, 60), Box(400, 10, 500, 60)))

    assert one_a_group([two, one_gone]) == [[0], [1]]
