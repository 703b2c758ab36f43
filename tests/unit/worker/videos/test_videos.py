"""Videos: which frames they have and when, and each frame read at its time, also from what recorders leave behind."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.unreadable import UnreadableReason
from tests.drawn_videos import SIZE_PX, number_of, turn_video, write_sound, write_video
from worker.videos.bitmap import bitmap
from worker.videos.errors import UnreadableVideo
from worker.videos.probe import VideoProbe, probe_video
from worker.videos.read import VideoReader

TENTHS = [number / 10 for number in range(40)]
LARGEST = 10**8


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi", ".ts"])
def test_every_frame_is_found_and_read_at_its_time_in_order_and_out_of_it(tmp_path: Path, ending: str) -> None:
    video = write_video(tmp_path / f"clip{ending}", times_s=TENTHS)

    probe = _probe(video)
    in_order = _read(video, probe.times_s)
    here_and_there = _read(video, probe.times_s[[20, 3, 39, 0, 1]])

    assert probe.problem is None
    assert probe.times_s == pytest.approx(TENTHS, abs=1e-3)
    assert in_order == list(range(40))
    assert here_and_there == [20, 3, 39, 0, 1]


def test_frames_at_odd_times_keep_them(tmp_path: Path) -> None:
    times_s = [0.0, 0.1, 0.15, 2.0, 7.0, 7.02, 30.0]
    video = write_video(tmp_path / "clip.mp4", times_s=times_s)

    assert _probe(video).times_s == pytest.approx(times_s, abs=1e-3)
    assert _read(video, _probe(video).times_s) == list(range(7))


def test_frames_far_ahead_are_reached_by_a_jump(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mkv", times_s=[float(second) for second in range(40)])

    assert _read(video, np.array([0.0, 33.0, 34.0])) == [0, 33, 34]


def test_avi_stores_no_times_so_its_frames_come_by_the_rate(tmp_path: Path) -> None:
    assert _probe(write_video(tmp_path / "clip.avi", times_s=TENTHS)).by_rate
    assert not _probe(write_video(tmp_path / "clip.mp4", times_s=TENTHS)).by_rate


def test_a_video_turned_by_its_metadata_comes_upright(tmp_path: Path) -> None:
    video = turn_video(write_video(tmp_path / "clip.mp4", times_s=TENTHS[:5]))

    with closing(VideoReader(video.open("rb"))) as reader:
        pixels = reader.frame_at(0.3)

    assert pixels.shape == (SIZE_PX[0], SIZE_PX[1], 3)
    assert number_of(pixels) == 3
    assert pixels[4, -4].tolist() == pytest.approx([255] * 3, abs=3)  # the white corner came from the upper left


def test_a_clock_that_jumps_back_goes_on_from_where_it_was(tmp_path: Path) -> None:
    first = write_video(tmp_path / "a.ts", times_s=TENTHS[:30])
    # A recorder's parts are put into one file, each beginning at zero again; longer than a clock's shaking.
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() * 2)

    probe = _probe(both)

    assert probe.jumps_s == pytest.approx((2.9,), abs=0.05)
    assert len(probe.times_s) == 60
    assert np.diff(probe.times_s) == pytest.approx(np.full(59, 0.1), abs=0.02)
    assert _read(both, probe.times_s) == [*range(30), *range(30)]


def test_the_container_tells_when_the_recording_began(tmp_path: Path) -> None:
    told = write_video(tmp_path / "told.mp4", times_s=TENTHS[:5], created="2024-05-06T07:08:09Z")
    never_set = write_video(tmp_path / "unset.mp4", times_s=TENTHS[:5], created="1970-01-01T00:00:00Z")

    assert _probe(told).started_at == "2024-05-06T07:08:09"
    assert _probe(never_set).started_at is None


def test_a_video_that_was_cut_off_gives_the_frames_before_and_says_where_it_ends(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mkv", times_s=TENTHS)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])

    probe = _probe(video)

    assert probe.problem is not None
    assert probe.problem.startswith(f"it ends at {probe.times_s[-1]:.1f} s of 4.0 s")
    assert _read(video, probe.times_s[:-1]) == list(range(len(probe.times_s) - 1))


def test_what_lies_after_the_damage_fails_with_the_last_readable_frame(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mkv", times_s=TENTHS)

    with closing(VideoReader(video.open("rb"))) as reader:
        with pytest.raises(UnreadableVideo, match=r"no frame at 9.000 s, its last readable frame is at 3.900 s"):
            reader.frame_at(9.0)
        assert number_of(reader.frame_at(0.5)) == 5


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", UnreadableReason.NO_FRAMES),
        (b"no video at all " * 100, UnreadableReason.NOT_A_VIDEO),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", UnreadableReason.NOT_A_VIDEO),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", UnreadableReason.NOT_A_VIDEO),
    ],
    ids=["empty", "text", "playlist", "list of files"],
)
def test_what_is_no_video_says_so_in_one_line(tmp_path: Path, content: bytes, problem: UnreadableReason) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(content)

    with pytest.raises(UnreadableVideo) as raised:
        _probe(file)

    assert raised.value.reason is problem
    assert "\n" not in str(raised.value)


def test_a_file_of_sound_only_and_one_that_is_too_large_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideo, match="sound only"):
        _probe(write_sound(tmp_path / "talk.mp4"))
    clip = write_video(tmp_path / "clip.mp4", times_s=TENTHS[:3])
    with pytest.raises(UnreadableVideo, match="96x64, at most 100"), clip.open("rb") as file:
        probe_video(file, max_pixels=100)


@pytest.mark.parametrize("columns", [4, 5, 6, 7])
def test_a_bitmap_is_the_frame_to_the_last_bit(columns: int) -> None:
    pixels = np.random.default_rng(columns).integers(0, 256, (3, columns, 3), dtype=np.uint8)

    with Image.open(io.BytesIO(bitmap(pixels)), formats=["BMP"]) as image:
        read = np.asarray(image.convert("RGB"))

    assert read.tolist() == pixels[..., ::-1].tolist()


def _probe(video: Path) -> VideoProbe:
    with video.open("rb") as file:
        return probe_video(file, max_pixels=LARGEST)


def _read(video: Path, times_s: np.ndarray) -> list[int]:
    with closing(VideoReader(video.open("rb"))) as reader:
        return [number_of(reader.frame_at(float(time_s))) for time_s in times_s]
