"""Groups a batch's decoded images into network calls: one input size each, and at most as many as a call takes."""

from __future__ import annotations

from collections.abc import Iterator

from worker.inference.batch_work import BatchWork
from worker.inference.infer import Inference
from worker.inference.load_image import LoadedImage


def network_batches(work: BatchWork, inference: Inference) -> Iterator[list[LoadedImage]]:
    """Yield a batch's images as they are decoded; what was no image is noted in the batch."""
    waiting: dict[tuple[object, ...], list[LoadedImage]] = {}  # a network call takes one input size
    for loaded in _loaded(work, inference):
        alike = loaded.letterbox.input_hw, loaded.features is None
        images = waiting.setdefault(alike, [])
        images.append(loaded)
        if len(images) == inference.network_batch:
            yield waiting.pop(alike)
    yield from waiting.values()


def _loaded(work: BatchWork, inference: Inference) -> Iterator[LoadedImage]:
    while (load := work.next_load()) is not None:
        if (image := work.take(load.result.result(), load.asked)) is not None:
            yield image
    while (orphan := work.orphan()) is not None:
        file, asked = orphan
        if (image := work.take(inference.decode(file, work.claim.root), asked)) is not None:
            yield image
