"""A worker that is to stop gives up what is in work: nothing more is decoded, every batch fails with `Stopped`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from db.domain.jobs import Claim, ClaimedItem
from db.domain.outcomes import ItemOutcome, SeenImage
from worker.inference.load_image import HashedFile, LoadedImage
from worker.inference.pipeline import BatchPipeline, Stopped
from worker.vision.letterbox import fit_letterbox

WAIT_S = 30.0
_FITTED = fit_letterbox(width_px=2, height_px=2, into_hw=(2, 2))


class HeldUp:
    """An inference whose crops are not done before `go_on` is set; every file is another content."""

    model_version, network_batch = "m", 2

    def __init__(self) -> None:
        self.finishing, self.go_on = threading.Event(), threading.Event()
        self.decoded: list[int] = []

    def parameters_of(self, item: ClaimedItem) -> str:
        return "p"

    def read(self, item: ClaimedItem, root: bytes) -> HashedFile:
        return HashedFile(item, SimpleNamespace(sha256=str(item.item_id)), None)  # type: ignore[arg-type]

    def decode(self, file: HashedFile, root: bytes) -> LoadedImage:
        self.decoded.append(file.item.item_id)
        nothing: Any = None
        image = SeenImage(str(file.item.item_id))
        return LoadedImage(file.item, image, nothing, np.zeros((2, 2, 3), dtype=np.uint8), _FITTED)

    def predict(self, images: Sequence[LoadedImage]) -> Any:
        return None

    def finish(self, images: Sequence[LoadedImage], raw: Any, *, each_ms: float) -> list[ItemOutcome]:
        self.finishing.set()
        self.go_on.wait(WAIT_S)
        return []


def test_a_stop_ends_all_that_is_in_work_and_decodes_no_more() -> None:
    machine, failed, done = HeldUp(), [], []
    pipeline = BatchPipeline(
        machine,  # type: ignore[arg-type]
        on_done=lambda claim, outcomes: done.append(claim.batch_id),
        on_failed=lambda claim, error: failed.append((claim.batch_id, type(error))),
    )
    feeder = threading.Thread(target=_feed, args=(pipeline, 200))
    feeder.start()
    assert machine.finishing.wait(WAIT_S)

    pipeline.stop()
    machine.go_on.set()  # what is being cut just now is not broken off
    feeder.join(WAIT_S)
    pipeline.close()

    assert not feeder.is_alive()
    assert (failed, done) == ([(1, Stopped), (2, Stopped)], [])
    assert len(machine.decoded) < 200


def _feed(pipeline: BatchPipeline, count: int) -> None:
    items = tuple(ClaimedItem(number, number, b"/trip/%d.jpg" % number) for number in range(count))
    for batch_id in (1, 2):
        pipeline.put(Claim(batch_id, "t", b"/trip", None, False, 1, items), known=lambda asked: set())
