"""Moves claimed batches through reading, decoding, the network and storing, all at the same time.

The caller's thread reads and hashes (`feed_batch`), a few threads decode and cut crops, one thread calls the network
(`network_batches`), one stores. So the network never waits for a disk or a database, also not between two batches;
every queue between them is bounded. A batch's state on its way is a `BatchWork`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Queue, SimpleQueue

from db.domain.jobs import Claim
from db.domain.outcomes import ItemOutcome
from db.errors import TaffrailError
from worker.inference.batch_work import BatchWork
from worker.inference.feed_batch import BatchFeeder, Known
from worker.inference.fixed_batch import network_faults
from worker.inference.infer import Inference
from worker.inference.load_image import LoadedImage
from worker.inference.network_batches import network_batches
from worker.inference.pace import usual_decode_threads

# One in the network, one before it, one being stored.
_MAX_IN_WORK = 3
_NETWORK_CALLS_AHEAD = 2
_STOPPED = "the worker was asked to stop"


class Stopped(TaffrailError):
    """The worker was asked to stop before the batch was through."""


class BatchPipeline:
    """Up to three batches in work with one model. `on_done` and `on_failed` are called from the storing thread."""

    def __init__(
        self,
        inference: Inference,
        *,
        on_done: Callable[[Claim, list[ItemOutcome]], None],
        on_failed: Callable[[Claim, Exception], None],
        on_progress: Callable[[], None] = lambda: None,
        decode_threads: int | None = None,
    ) -> None:
        """decode_threads: how many decode and cut crops; the usual number where not given."""
        self.inference = inference
        self._on_done, self._on_failed, self._on_progress = on_done, on_failed, on_progress
        self._changed = threading.Condition()
        self._in_work: list[BatchWork] = []
        self._waiting: SimpleQueue[BatchWork | None] = SimpleQueue()
        self._stopped = False
        self._decoders = ThreadPoolExecutor(decode_threads or usual_decode_threads(), thread_name_prefix="decode")
        self._feeder = BatchFeeder(inference, self._decoders)
        self._storing = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._network = threading.Thread(target=self._run_network, name="network", daemon=True)
        self._network.start()

    def put(self, claim: Claim, *, known: Known) -> None:
        """Start a batch; returns when its last image is on its way. known: contents with a stored prediction."""
        work = BatchWork(claim, Queue(maxsize=_NETWORK_CALLS_AHEAD * self.inference.network_batch))
        with self._changed:
            self._changed.wait_for(lambda: len(self._in_work) < _MAX_IN_WORK)
            self._in_work.append(work)
            work.error = Stopped(_STOPPED) if self._stopped else None
        self._waiting.put(work)
        self._feeder.feed(work, known=known, on_progress=self._on_progress)

    @property
    def in_work(self) -> int:
        """How many batches are on their way."""
        return len(self._in_work)

    def drain(self) -> None:
        """Wait until every batch is stored or given up."""
        with self._changed:
            self._changed.wait_for(lambda: not self._in_work)

    def stop(self) -> None:
        """Give up what is in work at once, what is decoded or cut just now after it; it fails with `Stopped`."""
        self._stopped = True
        with self._changed:
            for work in self._in_work:
                work.error = work.error or Stopped(_STOPPED)
        self._decoders.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Drain, and end the threads."""
        self.drain()
        self._waiting.put(None)
        self._network.join()
        self._feeder.close()
        for pool in (self._decoders, self._storing):
            pool.shutdown()

    def _run_network(self) -> None:
        while (work := self._waiting.get()) is not None:
            self._infer(work)
            self._storing.submit(self._store, work)

    def _infer(self, work: BatchWork) -> None:
        try:
            for images in network_batches(work, self.inference):
                self._call_network(work, images)
        except Exception as error:
            work.error = work.error or error
        while not work.ended:  # whoever feeds us waits for room
            work.next_load()

    def _call_network(self, work: BatchWork, images: list[LoadedImage]) -> None:
        if self._stopped:
            raise Stopped(_STOPPED)
        started = time.perf_counter()
        with network_faults():
            raw = self.inference.predict(images)
        each_ms = (time.perf_counter() - started) * 1000 / len(images)
        work.finishing.append(self._decoders.submit(self.inference.finish, images, raw, each_ms=each_ms))
        self._on_progress()

    def _store(self, work: BatchWork) -> None:
        try:
            self._on_done(work.claim, work.all_outcomes())
        except Exception as error:
            self._on_failed(work.claim, work.error or error)
        finally:
            with self._changed:
                self._in_work.remove(work)
                self._changed.notify_all()
            self._on_progress()
