"""What a worker process tells its supervisor, one JSON line each: how much is in work, and what is wrong with the site.

`{"in_work": 2}` is a sign of life as well; `{"loading": true}` says why nothing is done yet;
`{"trouble": "one line"}` is nothing that an image is to blame for.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time

from pydantic import BaseModel, ConfigDict

# A GPU makes hundreds of network calls a second; nobody wants a line for each.
_AT_MOST_EVERY_S = 0.2


class WorkerEvent(BaseModel):
    """One thing a worker said. in_work: batches it holds; trouble: one line for people; loading: it loads a model."""

    model_config = ConfigDict(frozen=True)

    in_work: int | None = None
    trouble: str | None = None
    loading: bool | None = None


class EventWriter:
    """The worker's end of the pipe; what the supervisor cannot take at once is left out, the worker never waits."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._last = (-1, 0.0)
        if descriptor is not None:
            os.set_blocking(descriptor, False)

    def in_work(self, count: int) -> None:
        """Say how many batches are in work; also the sign that something moved."""
        now_s = time.monotonic()
        if count == self._last[0] and now_s - self._last[1] < _AT_MOST_EVERY_S:
            return
        self._last = (count, now_s)
        self._write(WorkerEvent(in_work=count))

    def trouble(self, text: str) -> None:
        """Say what is wrong, in one line."""
        self._write(WorkerEvent(trouble=" ".join(text.split())[:600]))

    def loading(self, is_so: bool) -> None:
        """Say that a model is being loaded, which takes seconds to minutes; or that it is ready."""
        self._write(WorkerEvent(loading=is_so))

    def _write(self, event: WorkerEvent) -> None:
        if self._descriptor is None:
            return
        # A line is shorter than PIPE_BUF, so it is written whole or not at all.
        with self._lock, contextlib.suppress(OSError):
            os.write(self._descriptor, json.dumps(event.model_dump(exclude_unset=True)).encode() + b"\n")


class EventReader:
    """The supervisor's end: `read` returns what came since the last time, and never waits."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        os.set_blocking(descriptor, False)

    def read(self) -> list[WorkerEvent]:
        """Return the events that wait; what is no event (a library's chatter) is left out."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._descriptor, 65536):
                self._rest += chunk
        *lines, self._rest = self._rest.split(b"\n")
        return [event for line in lines if (event := _parsed(line)) is not None]


def _parsed(line: bytes) -> WorkerEvent | None:
    try:
        return WorkerEvent.model_validate(json.loads(line))
    except ValueError:
        return None
