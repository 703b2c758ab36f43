"""Messages of the embedded broker are their owner's only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from db.settings import Settings
from worker.delivery.app import QueueName, count_messages, make_app, send_batches


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_no_message_can_be_read_by_others_whatever_the_umask(settings: Settings) -> None:
    before = os.umask(0)
    try:
        send_batches([1, 2], settings=settings)
    finally:
        os.umask(before)

    files = [file for file in settings.broker_dir.rglob("*") if file.is_file()]
    assert len(files) >= 3
    assert [file for file in files if file.stat().st_mode & 0o077] == []


def test_messages_arrive_whole(settings: Settings) -> None:
    send_batches([5, 6, 7], settings=settings)

    with make_app(settings).connection_for_read() as connection:
        queue = connection.SimpleQueue(QueueName.INFER.value)
        taken = [queue.get(timeout=5) for _ in range(3)]
        for message in taken:
            message.ack()
        queue.close()

    assert sorted(message.payload[0][0] for message in taken) == [5, 6, 7]
    assert count_messages(QueueName.INFER, settings=settings) == 0
