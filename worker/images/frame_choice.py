"""Chooses which frames of videos become images: all, one every so many seconds, or only those that changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from db.domain.files import FoundFile
from db.domain.frames import frame_name, is_video
from db.settings import Settings
from worker.images.scan import Problem

if TYPE_CHECKING:
    from worker.videos.probe import VideoProbe

# Mean difference in grey levels from which a frame shows something else; the noise of a camera by night is below.
CHANGED_LEVELS = 4.0
_THUMBNAIL_PX = (64, 36)


@dataclass(frozen=True)
class FrameChoice:
    """Which frames are taken. every_s: at most one in so many seconds, 0 takes all.

    changed_only: of these only those that differ from the one taken before; the video is decoded for it.
    """

    every_s: float = 1.0
    changed_only: bool = False


EVERY_SECOND = FrameChoice()


def parse_every(text: str) -> float:
    """Return the seconds of `1s`, `500ms`, `2min`, `0.5`, or `all` (0).

    Raises:
        ValueError: it is none of these.

    >>> parse_every("500ms"), parse_every("all"), parse_every("2min")
    (0.5, 0.0, 120.0)
    """
    plain = text.strip().lower()
    if plain == "all":
        return 0.0
    for unit, factor in (("ms", 1e-3), ("min", 60.0), ("s", 1.0), ("", 1.0)):
        number = plain.removesuffix(unit)
        if plain.endswith(unit) and number.replace(".", "", 1).isdecimal() and 0 < float(number) * factor <= 86_400:
            return float(number) * factor
    raise ValueError(f"{text!r}: wanted a time such as 1s, 500ms or 2min, or all")


def frames_for_videos(
    files: Iterator[FoundFile], choice: FrameChoice, *, root: bytes, settings: Settings, on_problem: Problem
) -> Iterator[FoundFile]:
    """Yield files, in a video's place its frames; a damaged video itself as well: it fails with its reason."""
    for file in files:
        if not is_video(file.name):
            yield file
        else:
            yield from _frames(file, choice, root=root, settings=settings, on_problem=on_problem)


def _frames(
    file: FoundFile, choice: FrameChoice, *, root: bytes, settings: Settings, on_problem: Problem
) -> Iterator[FoundFile]:
    from worker.images.errors import UnreadableImage
    from worker.images.open import open_below
    from worker.videos.errors import UnreadableVideo
    from worker.videos.probe import probe_video

    path = os.path.join(file.folder, file.name)
    try:
        with open_below(path, root) as opened:
            probe = probe_video(opened, max_pixels=settings.max_pixels)
    except (UnreadableImage, UnreadableVideo):
        yield file
        return
    for jump_s in probe.jumps_s:
        on_problem(path, f"its clock jumps back at {jump_s:.1f} s; what comes after is taken to follow at once")
    times_s = spaced(probe, choice.every_s)
    if choice.changed_only:
        times_s = _changed(path, times_s, root)
    for time_s in times_s:
        yield FoundFile(file.folder, frame_name(file.name, time_s), file.size_bytes, file.mtime_ns)
    if probe.problem is not None:
        yield file


def spaced(probe: VideoProbe, every_s: float) -> list[float]:
    """Return the times of the frames to take: the first one of each stretch of every_s seconds."""
    if every_s <= 0:
        return [float(time_s) for time_s in probe.times_s]
    taken, next_s = [], 0.0
    for time_s in probe.times_s.tolist():
        if time_s >= next_s - 1e-4:
            taken.append(time_s)
            next_s = (time_s + 1e-4) // every_s * every_s + every_s
    return taken


def _changed(path: bytes, times_s: list[float], root: bytes) -> list[float]:
    from contextlib import closing

    from worker.images.open import open_below
    from worker.videos.errors import UnreadableVideo
    from worker.videos.read import VideoReader

    taken: list[float] = []
    before = None
    with closing(VideoReader(open_below(path, root))) as reader:
        for number, time_s in enumerate(times_s):
            try:
                small = _thumbnail(reader.frame_at(time_s))
            except UnreadableVideo:
                return taken + times_s[number:]  # each of them tells its own reason
            if before is None or float(np.abs(small - before).mean()) > CHANGED_LEVELS:
                taken.append(time_s)
                before = small
    return taken


def _thumbnail(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return a frame in small and grey, (36, 64)."""
    from PIL import Image

    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize(_THUMBNAIL_PX, Image.Resampling.BOX), dtype=np.float32)
