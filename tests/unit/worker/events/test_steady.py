"""What stands at one place for most of a recording is gear; fish on a measuring board and short recordings stay."""

from __future__ import annotations

import numpy as np

from db.domain.boxes import Box
from worker.events.sightings import CameraSequence, SequenceImage, Sighting
from worker.events.steady import without_steady

GEAR, ELSEWHERE = Box(10, 10, 60, 40), Box(300, 100, 420, 160)


def recording(*, seconds: int, gear: float, fish: float) -> CameraSequence:
    """An image a second; every other one shows gear, a fish lies elsewhere for a minute. gear, fish: confidences."""
    rng = np.random.default_rng(0)
    images = []
    for second in range(seconds):
        shown = []
        if second % 2:
            left, top = rng.normal(0, 1, 2)
            box = Box(GEAR.x_min + left, GEAR.y_min + top, GEAR.x_max + left, GEAR.y_max + top)
            shown.append(Sighting(2 * second, second, float(second), box, gear, (0.5, 0.5)))
        if 100 <= second < 160:
            shown.append(Sighting(2 * second + 1, second, float(second), ELSEWHERE, fish, (0.9, 0.1)))
        images.append(SequenceImage(second, float(second), tuple(shown)))
    return CameraSequence("cam", 640, 360, tuple(images))


def test_gear_is_left_out_and_the_fish_stays():
    found = without_steady(recording(seconds=600, gear=0.4, fish=0.8))

    assert len(found.images) == 600
    assert {sighting.box for sighting in found.sightings} == {ELSEWHERE} and len(found.sightings) == 60


def test_fish_that_are_put_at_one_place_are_the_surest_and_stay():
    whole = recording(seconds=600, gear=0.9, fish=0.6)

    assert without_steady(whole) == whole


def test_a_short_recording_tells_nothing_of_what_is_steady():
    whole = recording(seconds=200, gear=0.4, fish=0.8)

    assert without_steady(whole) == whole
    assert without_steady(CameraSequence("cam", 640, 360, ())).images == ()
