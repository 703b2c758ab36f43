"""The queues: a Celery app that carries ids as JSON, and nothing else. No TensorFlow here."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import KombuError

from db.errors import TaffrailError
from db.settings import Settings, get_settings
from db.urls import shown_url, without_passwords
from worker.delivery.private_files import SCHEME

INFER_TASK = "taffrail.infer_batch"
RETRAIN_TASK = "taffrail.retrain_if_due"
_REDIS_OPTIONS = {
    # A network that was cut must be noticed, or a worker waits on a dead connection for ever (celery#8030, #8091).
    "socket_timeout": 30,
    "socket_connect_timeout": 10,
    "socket_keepalive": True,
    "health_check_interval": 15,
    # Messages are acknowledged before the work, so this is only how long one of a worker that died just then is away.
    "visibility_timeout": 600,
}


class QueueName(StrEnum):
    """The queues; each has worker processes of its own, so that one never waits for the other."""

    INFER = "infer"
    TRAIN = "train"


class QueueError(TaffrailError):
    """The broker cannot be reached or refuses messages."""


def make_app(settings: Settings) -> Celery:
    """Return the Celery app of these settings; the broker is Redis where one is named, else files in HOME."""
    app = Celery("taffrail", set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],  # never pickle: a message must not be able to run code
        task_ignore_result=True,
        task_default_queue=QueueName.INFER.value,
        # Early acknowledgement: what became of a batch is in the database; a lost message is sent again from there.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_consumer="worker.delivery.checked_messages:CheckedConsumer",
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    if settings.broker is not None:
        app.conf.update(
            broker_url=settings.broker,
            broker_transport_options=_REDIS_OPTIONS if settings.broker.startswith("redis") else {},
            # rediss:// alone would take any certificate; what the URL says of `ssl_cert_reqs` goes before this.
            broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if settings.broker.startswith("rediss:") else None,
            worker_send_task_events=True,  # one a batch, for Flower; nobody keeps them
        )
        return app
    settings.broker_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in ("messages", "control"):
        (settings.broker_dir / folder).mkdir(exist_ok=True, mode=0o700)
    messages = str(settings.broker_dir / "messages")
    app.conf.update(
        broker_url=f"{SCHEME}://",
        broker_transport_options={
            "data_folder_in": messages,
            "data_folder_out": messages,
            "control_folder": str(settings.broker_dir / "control"),
            "polling_interval": 0.05,
        },
    )
    return app


def send_batches(
    batch_ids: Sequence[int], *, settings: Settings | None = None, sent: Callable[[int], None] = lambda count: None
) -> None:
    """Put one message a batch on the infer queue.

    Raises:
        QueueError: the broker cannot be reached or is full; what was not sent waits in the database.
    """
    send_messages(INFER_TASK, batch_ids, queue=QueueName.INFER, settings=settings, sent=sent)


def send_messages(
    task: str,
    row_ids: Sequence[int],
    *,
    queue: QueueName,
    settings: Settings | None = None,
    sent: Callable[[int], None] = lambda count: None,
) -> None:
    """Put one message a row id on a queue; a task of each kind has a typed function of its own that calls this.

    Raises:
        QueueError: the broker cannot be reached or is full.
    """
    app = make_app(settings or get_settings())
    with _connected(app) as connection, app.amqp.Producer(connection) as producer:
        for count, row_id in enumerate(row_ids, start=1):
            app.send_task(task, args=[row_id], queue=queue.value, producer=producer, retry=False)
            sent(count)


def count_messages(queue: QueueName, *, settings: Settings) -> int:
    """Return how many messages wait in the broker; a queue that nobody used yet is empty.

    Raises:
        QueueError: the broker cannot be reached.
    """
    with _connected(make_app(settings)) as connection:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(queue=queue.value, passive=False).message_count)


@contextmanager
def _connected(app: Celery) -> Iterator[Connection]:
    """A connection to the broker whose errors are one clear line."""
    try:
        connection = app.connection_for_write()
        shown = shown_url(str(app.conf.broker_url))
    except (KeyError, ValueError, TypeError, ImportError) as error:
        cause = without_passwords(_first_line(error))
        raise QueueError(f"BROKER_URL: {cause}; wanted one such as redis://127.0.0.1:6379/0") from None
    try:
        _reach(connection)
        with connection:
            yield connection
    except (KombuError, OSError, *connection.connection_errors, *connection.channel_errors) as error:
        raise QueueError(f"{shown}: {_first_line(error)}; nothing is lost, `cli resume` sends the rest") from error


def _reach(connection: Any) -> None:
    try:
        connection.ensure_connection(max_retries=3, interval_start=0.2, interval_step=0.3)
    except (TypeError, ValueError) as error:  # parts of the URL go to the client library as they are
        raise KombuError(f"a part of its URL is not understood ({_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
