"""Makes the queue agree with the database again: dead claims are set free, lost messages are sent again."""

from __future__ import annotations

from sqlalchemy import Engine

from db.session import reading, transaction
from db.settings import Settings
from db.store.batches import mark_expired_dead, mark_sent, unsent
from db.store.sql import database_now_s
from worker.delivery.app import QueueName, count_messages, send_batches

# The broker holds no message, and yet a batch waits that was sent this long ago: its message is lost.
LOST_AFTER_S = 10.0
# While messages wait nobody knows whose; sending one twice costs a refused claim, so it is done now and then.
RESEND_AFTER_S = 6 * 3600.0


def reconcile(engine: Engine, settings: Settings, *, lost_after_s: float = LOST_AFTER_S) -> int:
    """Return how many messages wait in the broker, after sending what was never sent and what was lost.

    Raises:
        QueueError: the broker cannot be reached; nothing is lost.
        DatabaseError: the database cannot be reached.
    """
    with transaction(engine) as session:
        now_s = database_now_s(session)
        mark_expired_dead(session, now_s=now_s)
    waiting = count_messages(QueueName.INFER, settings=settings)
    with reading(engine) as session:
        overdue_s = RESEND_AFTER_S if waiting else lost_after_s
        batch_ids = unsent(session, sent_before_s=now_s - overdue_s, now_s=now_s)
    if batch_ids:
        send_batches(batch_ids, settings=settings)
        with transaction(engine) as session:
            mark_sent(session, batch_ids, now_s=now_s)
    return waiting + len(batch_ids)
