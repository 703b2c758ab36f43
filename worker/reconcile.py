"""Makes the queue agree with the database again: dead claims are split, lost messages are sent again."""

from __future__ import annotations

import time

from sqlalchemy import Engine

from db.session import reading, transaction
from db.settings import Settings
from db.store.batches import bury_expired, mark_sent, unsent
from worker.queue import send_batches

RESEND_AFTER_S = 900.0  # a message that waits in a long queue is not lost; sending it twice costs one refused claim


def reconcile(engine: Engine, settings: Settings, *, resend_after_s: float = RESEND_AFTER_S) -> int:
    """Return how many batches were sent: those never sent, those of dead workers, those whose message is overdue.

    Raises:
        QueueError: the broker cannot be reached; nothing is lost.
        DatabaseError: the database cannot be reached.
    """
    with transaction(engine) as session:
        bury_expired(session, now_s=time.time(), lease_s=settings.lease_s)
    with reading(engine) as session:
        batch_ids = unsent(session, sent_before_s=time.time() - resend_after_s)
    if batch_ids:
        send_batches(batch_ids, settings=settings)
        with transaction(engine) as session:
            mark_sent(session, batch_ids, now_s=time.time())
    return len(batch_ids)
