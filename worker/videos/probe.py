"""Looks through a video without decoding it: which frames it has, when, how large, and where it is damaged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from db.domain.unreadable import UnreadableReason
from worker.videos.clock import VideoClock
from worker.videos.errors import UnreadableVideo
from worker.videos.open import av_error, opened_video, told_clearly

_CREATED = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?")

# Recorders promise a frame or two more than they write.
_ENOUGH_FRAMES = 0.98


@dataclass(frozen=True, eq=False)
class VideoProbe:
    """What a video holds. times_s: (N,) of its frames, rising, from 0. started_at: what the container says, ISO 8601.

    by_rate: frames told no times, so they come from the frame rate. jumps_s: where its own clock jumped back.
    problem: how it is damaged; None where nothing is wrong with it.
    """

    width_px: int
    height_px: int
    times_s: npt.NDArray[np.float64]
    started_at: str | None
    by_rate: bool
    jumps_s: tuple[float, ...]
    problem: str | None

    @property
    def interval_s(self) -> float:
        """The usual time between two frames, seconds."""
        return float(np.median(np.diff(self.times_s))) if len(self.times_s) > 1 else 0.04


def probe_video(file: IO[bytes], *, max_pixels: int) -> VideoProbe:
    """Return what a video holds; a damaged one up to where it is damaged.

    Raises:
        UnreadableVideo: it gives no frame at all, or they have more than max_pixels.
    """
    with opened_video(file) as (container, stream):
        if stream.width * stream.height > max_pixels:
            size = f"{stream.width}x{stream.height}, at most {max_pixels} are decoded"
            raise UnreadableVideo(UnreadableReason.TOO_LARGE, size)
        clock, times_s, problem = VideoClock(stream), [], None
        try:
            for packet in container.demux(stream):
                if packet.size:  # the last one is empty: it ends the stream
                    times_s.append(clock.time_of(packet.pts, stored=packet.dts))
                    problem = problem or _damage(packet)
        except av_error() as error:
            problem = told_clearly(error)
        if not times_s:
            raise UnreadableVideo(UnreadableReason.NO_FRAMES, problem or "its picture stream is empty")
        rising = np.unique(np.round(np.array(times_s) - min(times_s), 6))
        problem = problem or _cut_short(container, stream, rising)
        return VideoProbe(
            width_px=stream.width,
            height_px=stream.height,
            times_s=rising,
            started_at=started_at(container, stream),
            by_rate=clock.by_rate,
            jumps_s=tuple(round(jump - min(times_s), 3) for jump in clock.jumps_s),
            problem=problem,
        )


def _damage(packet: Any) -> str | None:
    return "a part of it cannot be read" if packet.is_corrupt else None


def _cut_short(container: Any, stream: Any, times_s: npt.NDArray[np.float64]) -> str | None:
    """Tell a file that was cut off: it promises a longer video than it holds."""
    promised_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    if not promised_s and container.duration:
        promised_s = container.duration / 1e6
    if stream.frames and len(times_s) >= stream.frames * _ENOUGH_FRAMES:
        return None  # its last frame is shown for long
    held_s = float(times_s[-1])
    lost = promised_s - held_s > max(1.0, 3 * float(np.diff(times_s).max(initial=0.0)))
    return f"it ends at {held_s:.1f} s of {promised_s:.1f} s" if lost else None


def started_at(container: Any, stream: Any) -> str | None:
    """The moment that the container says its recording began; those of 1904 and 1970 are a clock that was never set."""
    for metadata in (stream.metadata, container.metadata):
        found = _CREATED.search(str(metadata.get("creation_time", "")))
        if found is None:
            continue
        text = f"{found[1]}T{found[2]}"
        try:
            if datetime.fromisoformat(text).year > 1980:
                return text
        except ValueError:
            continue
    return None
