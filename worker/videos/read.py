"""Reads a video's frames in order; the next one costs one step, one far ahead a jump to the key frame before it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from db.domain.unreadable import UnreadableReason
from worker.videos.clock import VideoClock
from worker.videos.errors import UnreadableVideo
from worker.videos.open import av_error, opened_video, told_clearly
from worker.videos.probe import started_at

Pixels = npt.NDArray[np.uint8]
# Frames this near ahead are reached by decoding on; a jump decodes from the key frame before, which may lie behind us.
_DECODE_ON_S = 12.0
_FIRST_PACKETS = 40
# Times are told to a microsecond; two frames are never nearer than this.
_SAME_S = 4e-4


class VideoReader:
    """One open video. Not safe to be called from two threads at once.

    started_at: when its first frame was taken as the container says, ISO 8601. size_px: width, height, not turned.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Open a video; the file belongs to the reader from now on.

        Raises:
            UnreadableVideo: it gives no frame.
        """
        self._frame: Any = None
        self._frames: Iterator[Any] = iter(())
        self._at_s = -math.inf
        self._may_jump = False
        self._closing = ExitStack()
        self._closing.callback(file.close)
        try:
            self._container, self._stream = self._closing.enter_context(opened_video(file))
            self.started_at = started_at(self._container, self._stream)
            self.size_px = (int(self._stream.width), int(self._stream.height))
            self._first_s = self._find_first()
        except BaseException:
            self._closing.close()
            raise
        self._seek(0.0)

    def close(self) -> None:
        """Close the video and its file."""
        self._closing.close()

    def frame_at(self, time_s: float) -> Pixels:
        """Return the frame of a time, (H, W, 3) uint8, blue, green, red, upright. time_s: as the probe tells it.

        Raises:
            UnreadableVideo: the video cannot be decoded there.
        """
        if time_s < self._at_s - _SAME_S:
            self._seek(0.0)
        if time_s > max(self._at_s, 0.0) + _DECODE_ON_S and self._may_jump:
            self._seek(time_s)
        while self._at_s < time_s - _SAME_S:
            self._step(wanted_s=time_s)
        assert self._frame is not None
        return upright(self._frame)

    def _find_first(self) -> float:
        """Return when the first frame is, seconds on the video's own clock: the earliest of the first packets.

        Where they tell no times, or the clock jumped back, only counting from the start finds a frame again.
        """
        clock = VideoClock(self._stream)
        packets = islice(self._container.demux(self._stream), _FIRST_PACKETS)
        try:
            times_s = [clock.time_of(packet.pts, stored=packet.dts) for packet in packets if packet.size]
        except av_error():
            times_s = []
        self._may_jump = not clock.by_rate
        return min(times_s, default=0.0)

    def _step(self, *, wanted_s: float) -> None:
        try:
            frame: Any = next(self._frames)
        except StopIteration:
            raise self._ends(wanted_s, "there is no frame any more") from None
        except av_error() as error:
            raise self._ends(wanted_s, told_clearly(error)) from None
        self._frame = frame
        self._at_s = self._clock.time_of(frame.pts) - self._first_s

    def _ends(self, wanted_s: float, why: str) -> UnreadableVideo:
        self._frames = iter(())  # whatever comes after cannot be read either
        last = f"its last readable frame is at {self._at_s:.3f} s" if self._frame is not None else "it gives no frame"
        return UnreadableVideo(UnreadableReason.DAMAGED_VIDEO, f"no frame at {wanted_s:.3f} s, {last} ({why})")

    def _seek(self, time_s: float) -> None:
        tick_s = float(self._stream.time_base or 0)
        target = int((time_s + self._first_s) / tick_s) if tick_s and time_s > 0 else 0
        try:
            self._container.seek(target, stream=self._stream, backward=True)
        except av_error():
            self._container.seek(0)
        self._clock = VideoClock(self._stream)
        self._frame = None
        self._at_s = -math.inf
        self._frames = self._container.decode(self._stream)


def upright(frame: Any) -> Pixels:
    """Return a decoded frame's pixels, (H, W, 3) uint8, blue, green, red, turned as the video's metadata say."""
    pixels: Pixels = frame.to_ndarray(format="bgr24")
    quarter_turns = round(frame.rotation / 90) % 4  # counterclockwise
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns)) if quarter_turns else pixels
