"""Says that a worker is alive while it can say nothing itself: a model may take minutes to load and to compile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What takes longer than this is stuck: then nothing is said any more, and the supervisor ends the process.
LOAD_AT_MOST_S = 1800.0


@contextmanager
def heartbeat(beat: Callable[[], None], *, every_s: float, at_most_s: float = LOAD_AT_MOST_S) -> Iterator[None]:
    """Call beat from a thread of its own until the block ends, but no longer than at_most_s."""
    over = threading.Event()
    ends_s = time.monotonic() + at_most_s

    def go_on() -> None:
        while not over.wait(every_s) and time.monotonic() < ends_s:
            beat()

    thread = threading.Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
