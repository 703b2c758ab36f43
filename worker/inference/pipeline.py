"""Moves claimed batches through reading, decoding, the network and storing, all at the same time.

The caller's thread reads and hashes, a few threads decode and cut crops, one thread calls the network, one stores. So
the network never waits for a disk or a database, also not between two batches; every queue between them is bounded.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from queue import Queue, SimpleQueue

from db.domain.frames import is_frame
from db.domain.jobs import Claim, ClaimedItem
from db.domain.outcomes import ItemOutcome, SeenImage
from db.errors import TaffrailError
from worker.images.errors import OF_THE_BYTES
from worker.inference.fixed_batch import network_faults
from worker.inference.infer import Inference
from worker.inference.load_image import HashedFile, LoadedImage

Asked = tuple[str, str]
"""A content's hash and the parameters that it is asked with."""
Known = Callable[[Sequence[Asked]], set[Asked]]
Load = LoadedImage | ItemOutcome
# One in the network, one before it, one being stored.
_MAX_IN_WORK = 3
_READ_AT_ONCE = 32
# Frames are held as bitmaps until they are decoded.
_FRAMES_AT_ONCE = 8
_NETWORK_CALLS_AHEAD = 2


class Stopped(TaffrailError):
    """The worker was asked to stop before the batch was through."""


@dataclass(frozen=True, eq=False)
class _Load:
    """A file that is being decoded, and what is asked of it."""

    file: HashedFile
    asked: Asked
    result: Future[Load]


@dataclass(eq=False)
class _Work:
    """A batch on its way. loads: in order, None ends them. asked: what is decoded for this batch."""

    claim: Claim
    loads: Queue[_Load | None]
    asked: set[Asked] = field(default_factory=set)
    duplicates: list[tuple[HashedFile, Asked]] = field(default_factory=list)
    faults: dict[Asked, ItemOutcome] = field(default_factory=dict)
    answered: set[Asked] = field(default_factory=set)
    outcomes: list[ItemOutcome] = field(default_factory=list)
    finishing: list[Future[list[ItemOutcome]]] = field(default_factory=list)
    error: Exception | None = None
    ended: bool = False

    def next_load(self) -> _Load | None:
        load = self.loads.get()
        self.ended = load is None
        return load

    def take(self, loaded: Load, asked: Asked) -> LoadedImage | None:
        """Return an image for the network, after noting what its bytes say of the files that have the same ones."""
        if isinstance(loaded, ItemOutcome):
            self.outcomes.append(loaded)
            if loaded.reason in OF_THE_BYTES:
                self.faults[asked] = loaded
            return None
        if loaded.image.sha256 == asked[0]:  # else it was changed between its two readings, and speaks for itself only
            self.answered.add(asked)
        return loaded

    def orphan(self) -> tuple[HashedFile, Asked] | None:
        """Return a duplicate of a file that changed or went while it was read: it must be looked at itself."""
        for place, (_, asked) in enumerate(self.duplicates):
            if asked not in self.answered and asked not in self.faults:
                return self.duplicates.pop(place)
        return None


class BatchPipeline:
    """Up to three batches in work with one model. `on_done` and `on_failed` are called from the storing thread."""

    def __init__(
        self,
        inference: Inference,
        *,
        on_done: Callable[[Claim, list[ItemOutcome]], None],
        on_failed: Callable[[Claim, Exception], None],
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.inference = inference
        self._on_done, self._on_failed, self._on_progress = on_done, on_failed, on_progress
        self._changed = threading.Condition()
        self._in_work: list[_Work] = []
        self._waiting: SimpleQueue[_Work | None] = SimpleQueue()
        self._stopped = False
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="read")
        self._decoders = ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 2)), thread_name_prefix="decode")
        self._storing = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._network = threading.Thread(target=self._run_network, name="network", daemon=True)
        self._network.start()

    def put(self, claim: Claim, *, known: Known) -> None:
        """Start a batch; returns when its last image is on its way. known: contents with a stored prediction."""
        work = _Work(claim, Queue(maxsize=_NETWORK_CALLS_AHEAD * self.inference.network_batch))
        with self._changed:
            self._changed.wait_for(lambda: len(self._in_work) < _MAX_IN_WORK)
            self._in_work.append(work)
        self._waiting.put(work)
        try:
            for items in _groups(claim.items):
                self._feed(work, items, known)
        except Exception as error:
            work.error = error
        finally:
            work.loads.put(None)

    @property
    def in_work(self) -> int:
        """How many batches are on their way."""
        return len(self._in_work)

    def drain(self) -> None:
        """Wait until every batch is stored or given up."""
        with self._changed:
            self._changed.wait_for(lambda: not self._in_work)

    def stop(self) -> None:
        """Give up what is in work at the next network call; it fails with `Stopped`."""
        self._stopped = True

    def close(self) -> None:
        """Drain, and end the threads."""
        self.drain()
        self._waiting.put(None)
        self._network.join()
        for pool in (self._readers, self._decoders, self._storing):
            pool.shutdown()

    def _feed(self, work: _Work, items: Sequence[ClaimedItem], known: Known) -> None:
        if work.error is not None:
            return
        root = work.claim.root
        read = partial(self.inference.read, root=root)
        # A video's frames come in its order, from this thread: the next one costs a step, the one before a jump.
        files = list(map(read, items) if is_frame(items[0].path) else self._readers.map(read, items))
        work.outcomes += [file for file in files if isinstance(file, ItemOutcome)]
        hashed = [file for file in files if isinstance(file, HashedFile)]
        asked = [(file.sha256, self.inference.parameters_of(file.item)) for file in hashed]
        stored = known(asked) if asked else set()
        for file, one in zip(hashed, asked, strict=True):
            if one in stored:
                work.outcomes.append(_done_already(file, one))
            elif one in work.asked:  # twice in one batch is inferred once, too
                work.duplicates.append((file, one))
            else:
                work.asked.add(one)
                work.loads.put(_Load(file, one, self._decoders.submit(self.inference.decode, file, root)))
        self._on_progress()

    def _run_network(self) -> None:
        while (work := self._waiting.get()) is not None:
            self._infer(work)
            self._storing.submit(self._store, work)

    def _infer(self, work: _Work) -> None:
        try:
            for images in self._network_batches(work):
                self._call_network(work, images)
        except Exception as error:
            work.error = work.error or error
        while not work.ended:  # whoever feeds us waits for room
            work.next_load()

    def _network_batches(self, work: _Work) -> Iterator[list[LoadedImage]]:
        waiting: dict[tuple[int, ...], list[LoadedImage]] = {}  # by input size: a network call takes one
        for loaded in self._loaded(work):
            images = waiting.setdefault(loaded.canvas.shape, [])
            images.append(loaded)
            if len(images) == self.inference.network_batch:
                yield waiting.pop(loaded.canvas.shape)
        yield from waiting.values()

    def _loaded(self, work: _Work) -> Iterator[LoadedImage]:
        while (load := work.next_load()) is not None:
            if (image := work.take(load.result.result(), load.asked)) is not None:
                yield image
        while (orphan := work.orphan()) is not None:
            file, asked = orphan
            if (image := work.take(self.inference.decode(file, work.claim.root), asked)) is not None:
                yield image

    def _call_network(self, work: _Work, images: list[LoadedImage]) -> None:
        if self._stopped:
            raise Stopped("the worker was asked to stop")
        started = time.perf_counter()
        with network_faults():
            raw = self.inference.predict(images)
        each_ms = (time.perf_counter() - started) * 1000 / len(images)
        work.finishing.append(self._decoders.submit(self.inference.finish, images, raw, each_ms=each_ms))
        self._on_progress()

    def _store(self, work: _Work) -> None:
        try:
            finished = [outcome for future in work.finishing for outcome in future.result()]
            if work.error is not None:
                raise work.error
            self._on_done(work.claim, work.outcomes + finished + _duplicates(work))
        except Exception as error:
            self._on_failed(work.claim, error)
        finally:
            with self._changed:
                self._in_work.remove(work)
                self._changed.notify_all()
            self._on_progress()


def _groups(items: Sequence[ClaimedItem]) -> Iterator[Sequence[ClaimedItem]]:
    """Yield items in the groups they are read in: files many at a time, frames of videos few, never both together."""
    for frames, alike in groupby(items, key=lambda item: is_frame(item.path)):
        run = tuple(alike)
        step = _FRAMES_AT_ONCE if frames else _READ_AT_ONCE
        yield from (run[start : start + step] for start in range(0, len(run), step))


def _done_already(file: HashedFile, asked: Asked) -> ItemOutcome:
    seen = SeenImage(file.sha256)
    return ItemOutcome(file.item.item_id, file.item.file_id, image=seen, parameters=asked[1])


def _duplicates(work: _Work) -> list[ItemOutcome]:
    """Return what becomes of the files with the bytes of another: the same prediction, or the same fault."""
    return [
        replace(work.faults[asked], item_id=file.item.item_id, file_id=file.item.file_id)
        if asked in work.faults
        else _done_already(file, asked)
        for file, asked in work.duplicates
    ]
