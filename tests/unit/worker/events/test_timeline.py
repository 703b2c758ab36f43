"""Times of images: one order for a camera, and a rule that is told for each oddity."""

from __future__ import annotations

import pytest

from db.domain.boxes import Box
from worker.events.sightings import Sighting
from worker.events.timeline import TimedImage, Timeline, make_timeline


def test_images_are_put_in_the_order_of_their_times_and_sightings_get_them() -> None:
    timeline = make_timeline([_image(2, b"b.jpg", "2024-05-06T07:00:05"), _image(1, b"a.jpg", "2024-05-06T07:00:02.5")])

    [(sequence, origin)] = timeline.sequences
    assert [image.key for image in sequence.images] == [1, 2]
    assert sequence.images[1].time_s - sequence.images[0].time_s == pytest.approx(2.5)
    assert [sighting.time_s for sighting in sequence.sightings] == [image.time_s for image in sequence.images]
    assert origin is not None
    assert timeline.notes == ()


def test_images_of_one_second_are_spread_over_it_in_the_order_of_their_names() -> None:
    burst = [_image(number, b"%d.jpg" % number, "2024-05-06T07:00:02") for number in range(4)]

    [(sequence, _)] = make_timeline([*burst, _image(9, b"z.jpg", "2024-05-06T07:00:03")]).sequences

    first_s = sequence.images[0].time_s
    assert [image.time_s - first_s for image in sequence.images] == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])
    assert [image.key for image in sequence.images] == [0, 1, 2, 3, 9]


def test_a_clock_that_jumps_back_is_told_and_nothing_is_followed_over_it() -> None:
    times = [f"2024-05-06T07:00:{second:02d}" for second in range(30)] + [
        f"2024-05-06T06:00:{second:02d}" for second in range(30)
    ]

    timeline = make_timeline([_image(number, b"%03d.jpg" % number, time) for number, time in enumerate(times)])

    assert [len(sequence.images) for sequence, _ in timeline.sequences] == [30, 30]
    assert timeline.notes == ("cam1: its clock jumps back by 3629 s at 030.jpg; no animal is followed over it",)


def test_where_names_tell_no_order_time_alone_counts() -> None:
    images = [
        _image(number, b"%02d.jpg" % (number * 11 % 20), f"2024-05-06T07:{number:02d}:00") for number in range(20)
    ]

    timeline = make_timeline(images)

    assert [[image.key for image in sequence.images] for sequence, _ in timeline.sequences] == [list(range(20))]
    assert timeline.notes == ()


def test_images_without_a_time_are_left_out_and_told_unless_their_interval_is_known() -> None:
    images = [_image(number, b"%d.jpg" % number, None) for number in range(3)]

    left_out = make_timeline(images)
    [(sequence, origin)] = make_timeline(images, interval_s=5.0).sequences

    assert left_out.sequences == ()
    assert left_out.notes == (
        "cam1: 3 images tell no time and are left out; name the time between two with --interval",
    )
    assert [image.time_s for image in sequence.images] == [0.0, 5.0, 10.0]
    assert origin is None


def test_a_time_that_all_images_have_is_not_believed() -> None:
    images = [_image(number, b"%d.jpg" % number, "2000-01-01T00:00:00") for number in range(5)]

    assert make_timeline(images).notes[0] == "cam1: all 5 images have one time; it is not believed"
    assert make_timeline(images).sequences == ()
    assert [len(sequence.images) for sequence, _ in make_timeline(images, interval_s=1.0).sequences] == [5]


def test_two_cameras_that_were_put_into_one_folder_differ_by_their_size() -> None:
    images = [_image(number, b"%d.jpg" % number, f"2024-05-06T07:00:{number:02d}") for number in range(4)]
    others = [_image(10, b"x.jpg", "2024-05-06T07:00:01", size_px=(1280, 974))]

    timeline = make_timeline([*images, *others])

    assert [len(sequence.images) for sequence, _ in timeline.sequences] == [4, 1]
    assert timeline.notes == (
        "cam1: images of 2 sizes (640x360, 1280x974) are taken for as many cameras; see cli cameras",
    )


def test_of_overlapping_videos_the_one_that_began_first_counts() -> None:
    first = [_frame(number, b"a.mp4", number, f"2024-05-06T07:00:{number:02d}") for number in range(10)]
    second = [_frame(20 + number, b"b.mp4", number, f"2024-05-06T07:00:{6 + number:02d}") for number in range(10)]

    timeline = make_timeline([*first, *second])

    [(sequence, _)] = timeline.sequences
    assert [image.key for image in sequence.images] == [*range(10), *range(24, 30)]
    assert timeline.notes == ("cam1: 4 frames of videos that overlap an earlier one are left out",)


def test_a_video_that_tells_no_time_is_a_sequence_of_its_own() -> None:
    frames = [_frame(number, b"a.mp4", number, None) for number in range(3)]

    timeline = make_timeline([*frames, _image(9, b"z.jpg", "2024-05-06T07:00:03")])

    assert [(len(sequence.images), origin is None) for sequence, origin in timeline.sequences] == [
        (1, False),
        (3, True),
    ]


def test_a_frame_whose_pixels_were_seen_before_at_another_time_keeps_its_place_in_its_video() -> None:
    frames = [_frame(number, b"a.mp4", number, f"2024-05-06T07:00:{number:02d}") for number in range(5)]
    frames[2] = _frame(2, b"a.mp4", 2, "2020-01-01T00:00:00")

    [(sequence, _)] = make_timeline(frames).sequences

    assert [image.time_s - sequence.images[0].time_s for image in sequence.images] == pytest.approx([0, 1, 2, 3, 4])


@pytest.mark.parametrize("images", [0, 1], ids=["none", "one"])
def test_few_images_are_no_fault(images: int) -> None:
    timeline = make_timeline([_image(1, b"a.jpg", "2024-05-06T07:00:00")] * images)

    assert timeline == Timeline(timeline.sequences, ())
    assert len(timeline.sequences) == images


def _frame(key: int, video: bytes, second: int, captured_at: str | None) -> TimedImage:
    return _image(key, b"%s#t=%d.000000" % (video, second), captured_at)


def _image(key: int, name: bytes, captured_at: str | None, *, size_px: tuple[int, int] = (640, 360)) -> TimedImage:
    sighting = Sighting(key, 0, 0.0, Box(0, 0, 30, 12), 0.8, (0.5, 0.5))
    return TimedImage(key, "cam1", b"/trip/cam1/" + name, captured_at, size_px, (sighting,))
