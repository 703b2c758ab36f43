"""Looks at every message before Celery does: only `a task of ours (one row id)` is let through.

A broker may be written to by others. Celery refuses pickles and unknown tasks itself, but a body of another shape ends
its worker, and the message comes back and ends the next one. What is refused is taken off the queue and logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer
from kombu import compression

_log = logging.getLogger("taffrail.worker")
_LARGEST_ID = 2**63 - 1
_MOST_BYTES = 64 * 2**10  # a call of ours has a few hundred


class CheckedConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer behind a check; named in the app's `worker_consumer`."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Return what Celery calls with each message."""
        handle = super().create_task_handler(*args, **kwargs)

        def check_and_handle(message: Any) -> Any:
            fault = fault_of(message, tasks=self.app.tasks)
            if fault is None:
                return handle(message)
            _log.error("a message that is none of ours was thrown away: %s", fault)
            return message.ack_log_error(_log, self.connection_errors)

        return check_and_handle


def refuse_compressed() -> None:
    """Let no message of this process be unpacked: ours are never packed, and a small one may become gigabytes.

    Kombu unpacks a body before anybody is asked about it. Celery throws away what cannot be read, and logs it.
    """

    def refuse(_body: object) -> bytes:
        raise ValueError("a compressed message; ours never are")

    for kind in compression.encoders():  # type: ignore[no-untyped-call]
        compression.register(refuse, refuse, kind)  # type: ignore[no-untyped-call]


def fault_of(message: Any, *, tasks: object) -> str | None:
    """Return what is wrong with a message, without any of its text; None where it is one of ours.

    tasks: the names that this worker serves.
    """
    if message.content_type != "application/json":
        return "not JSON"
    headers = message.headers if isinstance(message.headers, dict) else {}
    if not isinstance(headers.get("task"), str) or headers["task"] not in tasks:  # type: ignore[operator]
        return "not for a task of this worker"
    if len(message.body or b"") > _MOST_BYTES:
        return f"more than {_MOST_BYTES} bytes"
    try:
        body = message.decode()
    except Exception:  # whatever a decoder stumbles over
        return "its body cannot be decoded"
    if not (isinstance(body, list) and len(body) == 3 and isinstance(body[0], list) and body[1] == {}):
        return "its body is not a call"
    if len(body[0]) != 1 or type(body[0][0]) is not int or not 0 < body[0][0] <= _LARGEST_ID:
        return "its argument is not one row id"
    if body[2] is not None and (not isinstance(body[2], dict) or any(body[2].values())):
        return "it asks for further calls"
    return None
