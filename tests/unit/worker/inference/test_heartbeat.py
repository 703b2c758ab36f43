"""A worker is alive for as long as it loads, but not for ever."""

from __future__ import annotations

import threading

from worker.inference.heartbeat import heartbeat


def test_it_beats_while_the_block_lasts_and_not_after() -> None:
    twice = threading.Event()
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 2:
            twice.set()

    with heartbeat(beat, every_s=0.01):
        assert twice.wait(10)
    count = len(beats)

    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())
    assert len(beats) == count


def test_what_takes_too_long_is_not_called_alive() -> None:
    beats: list[int] = []

    with heartbeat(lambda: beats.append(1), every_s=0.01, at_most_s=0.0):
        for thread in [thread for thread in threading.enumerate() if thread.name == "heartbeat"]:
            thread.join(10)  # it may have ended before we look
        assert not any(thread.name == "heartbeat" for thread in threading.enumerate())

    assert beats == []
