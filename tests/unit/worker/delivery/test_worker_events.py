"""What a worker tells its supervisor comes through a pipe, in order, whatever a library prints between."""

import os

import pytest

from worker.delivery.worker_events import EventReader, EventWriter, WorkerEvent


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_events_are_read_as_they_were_written(pipe):
    reader, writer = EventReader(pipe[0]), EventWriter(pipe[1])
    writer.loading(True)
    os.write(pipe[1], b'a library\'s chatter\n[1]\nnull\n{"in_work": "many"}\n')
    writer.in_work(2)
    writer.trouble("/trip/b\udcff.jpg:\n no room")

    assert reader.read() == [
        WorkerEvent(loading=True),
        WorkerEvent(in_work=2),
        WorkerEvent(trouble="/trip/b\udcff.jpg: no room"),
    ]
    assert reader.read() == []


def test_half_an_event_waits_for_its_other_half(pipe):
    reader = EventReader(pipe[0])
    os.write(pipe[1], b'{"in_wo')
    assert reader.read() == []

    os.write(pipe[1], b'rk": 3}\n')
    assert reader.read() == [WorkerEvent(in_work=3)]


def test_a_worker_whose_supervisor_does_not_listen_never_waits(pipe):
    writer = EventWriter(pipe[1])
    for _ in range(500):
        writer.trouble("x" * 600)  # more than a pipe holds
