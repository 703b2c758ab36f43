"""What a supervisor's person is told before the first image is answered: a worker's own words, over its real pipe."""

from __future__ import annotations

import os

from worker.delivery.worker_events import EventReader, EventWriter


def test_a_worker_says_that_it_loads_a_model_and_when_that_is_over() -> None:
    reading, writing = os.pipe()
    writer, reader = EventWriter(writing), EventReader(reading)

    writer.in_work(0)
    writer.loading(True)
    writer.loading(False)

    assert [event.loading for event in reader.read()] == [None, True, False]
