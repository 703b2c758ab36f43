"""How many images a second one worker claims, stores and commits when it looks at none of them.

Everything but reading, decoding and the network: claim, hashes, prediction, detections and crops' rows, commit.
"""

from __future__ import annotations

import sys
import time

from bench.speed.blind import load_blind
from bench.speed.site import median, register_unseen_files, show_table, thrown_away
from worker.inference.tasks import InferWorker

_IMAGES = 6_400
_WANTED = 1_000.0


def main() -> int:
    """Print images a second on both databases; return 1 where one is too slow."""
    rows = [_measured(name) for name in ("sqlite", "postgres")]
    head = ["database", "images/s", "wanted", "ms a batch of 64", "per CPU second of the worker"]
    show_table("Orchestration alone, one worker", head, rows)
    return int(any(row[1] < _WANTED for row in rows))


def _measured(engine_name: str) -> tuple[str, float, float, float, float]:
    with thrown_away(engine_name) as (settings, engine):
        batches = register_unseen_files(engine, settings, _IMAGES)
        worker = InferWorker("bench", settings, load=load_blind)
        rates = []
        fifth, cpu_s = len(batches) // 5, time.process_time()
        for start in range(0, fifth * 5, fifth):
            started = time.perf_counter()
            for batch_id in batches[start : start + fifth]:
                worker.take_batch(batch_id)
            worker.drain()
            rates.append(fifth * settings.batch_items / (time.perf_counter() - started))
        cpu_rate = fifth * 5 * settings.batch_items / (time.process_time() - cpu_s)
        worker.close()
    rate = median(rates)
    return engine_name, rate, _WANTED, 1000 * settings.batch_items / rate, cpu_rate


if __name__ == "__main__":
    sys.exit(main())
