"""Puts a camera's images in the order of time, and says what about their times is odd; a rule for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from db.domain.frames import split_frame
from worker.events.sightings import CameraSequence, SequenceImage, Sighting

# A clock that is set, or wanders, goes back by less; more is another recording.
JUMP_BACK_S = 60.0
# Names whose order is that of time seldom go back; others tell nothing.
_NAMES_TELL_ORDER = 0.1


@dataclass(frozen=True)
class TimedImage:
    """An image of a job. path: as it was registered, bytes. captured_at: ISO 8601 without a zone, or None.

    size_px: width, height. sightings: their times are set here.
    """

    key: int
    camera: str
    path: bytes
    captured_at: str | None
    size_px: tuple[int, int]
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True)
class Timeline:
    """A camera's sequences, each with the moment that its seconds count from (None: only differences are known)."""

    sequences: tuple[tuple[CameraSequence, datetime | None], ...]
    notes: tuple[str, ...]


def make_timeline(images: Sequence[TimedImage], *, interval_s: float | None = None) -> Timeline:
    """Return the sequences of all cameras. interval_s: between images that tell no time, in their names' order."""
    by_camera: dict[str, list[TimedImage]] = defaultdict(list)
    for image in images:
        by_camera[image.camera].append(image)
    sequences: list[tuple[CameraSequence, datetime | None]] = []
    notes: list[str] = []
    for camera, taken in sorted(by_camera.items()):
        maker = _Maker(camera, interval_s, notes)
        sequences += maker.sequences(sorted(taken, key=lambda image: image.path))
    return Timeline(tuple(sequences), tuple(notes))


_Timed = tuple[float, TimedImage]
_Placed = tuple[CameraSequence, datetime | None]
_EPOCH = datetime(1970, 1, 1)


class _Maker:
    """Makes one camera's sequences."""

    def __init__(self, camera: str, interval_s: float | None, notes: list[str]) -> None:
        self._camera, self._interval_s, self._notes = camera, interval_s, notes

    def sequences(self, images: list[TimedImage]) -> Iterator[_Placed]:
        sizes = sorted({image.size_px for image in images})
        if len(sizes) > 1:
            told = ", ".join(f"{width}x{height}" for width, height in sizes)
            self._note(f"images of {len(sizes)} sizes ({told}) are taken for as many cameras; see cli cameras")
        for size_px in sizes:
            yield from self._of_size([image for image in images if image.size_px == size_px], size_px)

    def _of_size(self, images: list[TimedImage], size_px: tuple[int, int]) -> Iterator[_Placed]:
        timed, untimed = self._split(images)
        for part in self._runs(timed):
            yield self._sequence(part, size_px, _EPOCH)
        for part in untimed:
            yield self._sequence(part, size_px, None)

    def _split(self, images: list[TimedImage]) -> tuple[list[_Timed], list[list[_Timed]]]:
        """Return images with a time of their own, and sequences of which only the order and distances are known."""
        videos: dict[bytes, list[_Timed]] = defaultdict(list)
        stills: list[TimedImage] = []
        timed: list[_Timed] = []
        for image in images:
            frame = split_frame(image.path)
            if frame is not None:
                videos[frame[0]].append((frame[1], image))
            elif image.captured_at is None:
                stills.append(image)
            else:
                timed.append((_seconds(image.captured_at), image))
        timed = self._apart(timed, stills)
        placed, floating = self._place_videos(videos)
        return self._merged(timed, placed), [*floating, *self._by_interval(stills)]

    def _apart(self, timed: list[_Timed], stills: list[TimedImage]) -> list[_Timed]:
        """Spread images of one second over it in the order of their names; if all have one time, it tells nothing."""
        if len(timed) > 2 and len({time_s for time_s, _ in timed}) == 1:
            self._note(f"all {len(timed)} images have one time; it is not believed")
            stills += [image for _, image in timed]
            return []
        groups: dict[float, list[TimedImage]] = defaultdict(list)
        for time_s, image in timed:
            groups[time_s].append(image)
        return [
            (time_s + place / len(group), image)
            for time_s, group in groups.items()
            for place, image in enumerate(group)
        ]

    def _place_videos(self, videos: dict[bytes, list[_Timed]]) -> tuple[list[list[_Timed]], list[list[_Timed]]]:
        placed, floating = [], []
        for frames in videos.values():
            frames.sort(key=lambda timed: timed[0])
            starts = [_seconds(image.captured_at) - at_s for at_s, image in frames if image.captured_at is not None]
            if starts:  # the same pixels may have been seen before, at another time: most frames tell the right one
                start_s = float(np.median(starts))
                placed.append([(start_s + at_s, image) for at_s, image in frames])
            else:
                floating.append(frames)
        return placed, floating

    def _merged(self, timed: list[_Timed], videos: list[list[_Timed]]) -> list[_Timed]:
        """Return all in one order; where videos overlap the one that began first counts."""
        end_s = -np.inf
        left_out = 0
        for frames in sorted(videos, key=lambda frames: frames[0][0]):
            kept = [one for one in frames if one[0] > end_s]
            left_out += len(frames) - len(kept)
            end_s = max(end_s, frames[-1][0])
            timed = timed + kept
        if left_out:
            self._note(f"{left_out} frames of videos that overlap an earlier one are left out")
        return timed

    def _by_interval(self, stills: list[TimedImage]) -> list[list[_Timed]]:
        if not stills:
            return []
        if self._interval_s is None:
            self._note(f"{len(stills)} images tell no time and are left out; name the time between two with --interval")
            return []
        return [[(place * self._interval_s, image) for place, image in enumerate(stills)]]

    def _runs(self, timed: list[_Timed]) -> list[list[_Timed]]:
        """Cut where the clock jumps back from one name to the next; where names tell no order, time alone counts."""
        named = sorted(timed, key=lambda one: one[1].path)
        times_s = np.array([time_s for time_s, _ in named])
        back = np.flatnonzero(np.diff(times_s) < -JUMP_BACK_S) + 1
        if not len(back) or len(back) > max(1.0, len(named) * _NAMES_TELL_ORDER):
            return [sorted(timed, key=lambda one: one[0])] if timed else []
        for place in back:
            jump_s = times_s[place - 1] - times_s[place]
            name = named[place][1].path.rsplit(b"/", 1)[-1].decode("utf-8", "backslashreplace")
            self._note(f"its clock jumps back by {jump_s:.0f} s at {name}; no animal is followed over it")
        runs = [named[start:end] for start, end in zip([0, *back], [*back, len(named)], strict=True)]
        return [sorted(run, key=lambda one: one[0]) for run in runs]

    def _sequence(self, timed: list[_Timed], size_px: tuple[int, int], origin: datetime | None) -> _Placed:
        images = tuple(
            SequenceImage(
                image.key, time_s, tuple(replace(seen, image=image.key, time_s=time_s) for seen in image.sightings)
            )
            for time_s, image in timed
        )
        return CameraSequence(self._camera, *size_px, images), origin

    def _note(self, text: str) -> None:
        self._notes.append(f"{self._camera}: {text}")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
