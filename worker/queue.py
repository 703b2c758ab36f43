"""The queue: a Celery app that carries batch ids as JSON, and nothing else. No TensorFlow here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from db.errors import TaffrailError
from db.settings import Settings, get_settings

INFER = "infer"
INFER_TASK = "taffrail.infer_batch"


class QueueError(TaffrailError):
    """The broker cannot be reached or refuses messages."""


def make_app(settings: Settings) -> Celery:
    """Return the Celery app of these settings; the broker is Redis where one is named, else files in HOME."""
    app = Celery("taffrail", set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],  # never pickle: a message must not be able to run code
        task_ignore_result=True,
        task_default_queue=INFER,
        # Early acknowledgement: what became of a batch is in the database; a lost message is sent again from there.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
    )
    if settings.broker is not None:
        app.conf.update(broker_url=settings.broker, broker_transport_options={"socket_timeout": 30})
        return app
    settings.broker_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in ("messages", "control"):
        (settings.broker_dir / folder).mkdir(exist_ok=True, mode=0o700)
    messages = str(settings.broker_dir / "messages")
    app.conf.update(
        broker_url="filesystem://",
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
    """Put one message a batch on the queue.

    Raises:
        QueueError: the broker cannot be reached or is full; what was not sent waits in the database.
    """
    app = make_app(settings or get_settings())
    try:
        with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
            connection.ensure_connection(max_retries=3, interval_start=0.2, interval_step=0.3)
            for count, batch_id in enumerate(batch_ids, start=1):
                _send(app, batch_id, producer)
                sent(count)
    except (OperationalError, OSError) as error:
        raise QueueError(f"{_shown(app)}: {error}; nothing is lost, `cli resume` sends the rest") from error


def _send(app: Celery, batch_id: int, producer: Any) -> None:
    app.send_task(INFER_TASK, args=[batch_id], queue=INFER, producer=producer, retry=False)


def _shown(app: Celery) -> str:
    return str(app.connection_for_write().as_uri())  # as_uri hides the password
