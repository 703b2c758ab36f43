"""A worker's memory after 500 and after 5,000 images: real reading, decoding, crops and rows; no network."""

from __future__ import annotations

import os
import sys

from sqlalchemy import select

from bench.speed.site import show_table, thrown_away
from db.domain.jobs import BatchState
from db.session import reading
from db.tables.jobs import BatchRow
from tests.factories import write_images
from worker.delivery.worker_process import resident_mib
from worker.images.enqueue import enqueue_folder
from worker.inference.tasks import InferWorker

_AFTER = (500, 1_000, 2_500, 5_000)
_MORE_AT_MOST_MIB = 100.0


def main() -> int:
    """Print the resident memory; return 1 where it grew by too much."""
    taken: list[float] = []
    with thrown_away("sqlite", batch_items=50) as (settings, engine):
        write_images(settings.home.parent / "images", _AFTER[-1])
        enqueue_folder(engine, settings, os.fsencode(settings.home.parent / "images"))
        with reading(engine) as session:
            batches = list(session.scalars(select(BatchRow.id).where(BatchRow.state == BatchState.PENDING)))
        worker = InferWorker("bench", settings)
        for number, batch_id in enumerate(batches, start=1):
            worker.take_batch(batch_id)
            if number * settings.batch_items in _AFTER:
                worker.drain()
                taken.append(resident_mib(os.getpid()))
        worker.close()
    head = [*(f"MiB after {count:,}" for count in _AFTER), "more since the first", "at most"]
    show_table("One worker's resident memory", head, [[*taken, taken[-1] - taken[0], _MORE_AT_MOST_MIB]])
    return int(taken[-1] - taken[0] > _MORE_AT_MOST_MIB)


if __name__ == "__main__":
    sys.exit(main())
