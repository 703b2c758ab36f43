"""The times of a video's frames, seconds since its first one: from its own clock, or from its frame rate."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

# Clocks shake; one that goes back this far was set, or another recording begins.
JUMP_BACK_S = 2.0
# Where a video tells neither times nor a rate.
USUAL_RATE = Fraction(25)


class VideoClock:
    """Turns what packets and frames say of their time into seconds that never jump back.

    A clock that jumped back goes on from where it was: two recordings that were put into one file stay in order.
    """

    def __init__(self, stream: Any) -> None:
        # AVI stores no times, only a rate; what FFmpeg makes up for frames that are stored out of order is wrong.
        self.by_rate = stream.container.format.name == "avi"
        told = (stream.guessed_rate, stream.average_rate)
        rate = next((rate for rate in (told if self.by_rate else told[::-1]) if rate), USUAL_RATE)
        self.interval_s = float(1 / rate) if rate > 0 else float(1 / USUAL_RATE)
        self._tick_s = float(stream.time_base) if stream.time_base else 0.0
        self._order_s: float | None = None
        self._latest_s = -math.inf
        self._offset_s = 0.0
        self._count = 0
        self.jumps_s: list[float] = []

    def time_of(self, pts: int | None, *, stored: int | None = None) -> float:
        """Return the time of the next packet or frame, seconds on the video's own clock.

        pts: when it is shown, in ticks; None where nothing says so. stored: a packet's place in the order of storing,
        in ticks: frames are shown in another one, and only this one never goes back.
        """
        if self.by_rate or pts is None or not self._tick_s:
            self.by_rate = True
            self._count += 1
            return (self._count - 1) * self.interval_s
        order_s = (pts if stored is None else stored) * self._tick_s
        if self._order_s is not None and order_s < self._order_s - JUMP_BACK_S:
            self.jumps_s.append(self._latest_s)
            self._offset_s = self._latest_s + self.interval_s - pts * self._tick_s
        self._order_s = order_s
        time_s = pts * self._tick_s + self._offset_s
        self._latest_s = max(self._latest_s, time_s)
        return time_s
