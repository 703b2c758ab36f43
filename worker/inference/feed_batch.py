"""Reads a batch's files, hashes them and hands those to the decoders that have no prediction yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby

from db.domain.frames import is_frame
from db.domain.jobs import ClaimedItem
from db.domain.outcomes import ItemOutcome
from worker.inference.batch_work import Asked, BatchWork, FileLoad, done_already
from worker.inference.infer import Inference
from worker.inference.load_image import HashedFile

Known = Callable[[Sequence[Asked]], set[Asked]]
_READ_AT_ONCE = 32
# Frames are held as bitmaps until they are decoded.
_FRAMES_AT_ONCE = 8


class BatchFeeder:
    """Feeds batches from the caller's thread, a few files read ahead at a time; the decoders' pool is the caller's."""

    def __init__(self, inference: Inference, decoders: ThreadPoolExecutor) -> None:
        self._inference, self._decoders = inference, decoders
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="read")

    def feed(self, work: BatchWork, *, known: Known, on_progress: Callable[[], None]) -> None:
        """Feed a whole batch; returns when its last image is on its way. known: contents with a stored prediction."""
        try:
            for items in _groups(work.claim.items):
                if work.error is None:
                    self._feed(work, items, known)
                    on_progress()
        except Exception as error:
            work.error = work.error or error
        finally:
            work.loads.put(None)

    def close(self) -> None:
        """End the threads."""
        self._readers.shutdown()

    def _feed(self, work: BatchWork, items: Sequence[ClaimedItem], known: Known) -> None:
        root = work.claim.root
        read = partial(self._inference.read, root=root)
        # A video's frames come in its order, from this thread: the next one costs a step, the one before a jump.
        files = list(map(read, items) if is_frame(items[0].path) else self._readers.map(read, items))
        work.outcomes += [file for file in files if isinstance(file, ItemOutcome)]
        hashed = [file for file in files if isinstance(file, HashedFile)]
        asked = [(file.sha256, self._inference.parameters_of(file.item)) for file in hashed]
        stored = known(asked) if asked else set()
        for file, one in zip(hashed, asked, strict=True):
            if one in stored:
                work.outcomes.append(done_already(file, one))
            elif one in work.asked:  # twice in one batch is inferred once, too
                work.duplicates.append((file, one))
            else:
                work.asked.add(one)
                work.loads.put(FileLoad(file, one, self._decoders.submit(self._inference.decode, file, root)))


def _groups(items: Sequence[ClaimedItem]) -> Iterator[Sequence[ClaimedItem]]:
    """Yield items in the groups they are read in: files many at a time, frames of videos few, never both together."""
    for frames, alike in groupby(items, key=lambda item: is_frame(item.path)):
        run = tuple(alike)
        step = _FRAMES_AT_ONCE if frames else _READ_AT_ONCE
        yield from (run[start : start + step] for start in range(0, len(run), step))
