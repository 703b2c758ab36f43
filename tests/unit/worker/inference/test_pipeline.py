"""Files with the same bytes share an answer or a reason, and one that changes meanwhile harms only itself."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from db.domain.jobs import Claim, ClaimedItem
from db.domain.outcomes import ItemOutcome, SeenImage
from worker.images.errors import UnreadableImage, UnreadableReason
from worker.inference.batch_work import Asked
from worker.inference.load_image import HashedFile, LoadedImage, failed_outcome
from worker.inference.pipeline import BatchPipeline
from worker.vision.letterbox import fit_letterbox

ITEMS = tuple(ClaimedItem(number, number, b"/trip/%d.jpg" % number) for number in (1, 2, 3))


_FITTED = fit_letterbox(width_px=2, height_px=2, into_hw=(2, 2))


class Machine:
    """An inference whose files all have the same bytes at first. second: what decoding finds, by item."""

    model_version, network_batch = "m", 2

    def __init__(self, second: dict[int, str | UnreadableImage]) -> None:
        self._second = second
        self.decoded: list[int] = []

    def parameters_of(self, item: ClaimedItem) -> str:
        return "p"

    def read(self, item: ClaimedItem, root: bytes) -> HashedFile:
        return HashedFile(item, SimpleNamespace(sha256="same"), None)  # type: ignore[arg-type]

    def decode(self, file: HashedFile, root: bytes) -> LoadedImage | ItemOutcome:
        self.decoded.append(file.item.item_id)
        found = self._second.get(file.item.item_id, "same")
        if isinstance(found, UnreadableImage):
            return failed_outcome(file.item, found)
        nothing: Any = None
        return LoadedImage(file.item, SeenImage(found), nothing, np.zeros((2, 2, 3), dtype=np.uint8), _FITTED)

    def predict(self, images: Sequence[LoadedImage]) -> Any:
        return None

    def finish(self, images: Sequence[LoadedImage], raw: Any, *, each_ms: float) -> list[ItemOutcome]:
        return [
            ItemOutcome(one.item.item_id, one.item.file_id, image=one.image, reason="new", parameters="p")
            for one in images
        ]


def test_the_same_bytes_are_decoded_once_and_have_one_answer() -> None:
    machine = Machine({})

    ends = _ends(machine)

    assert machine.decoded == [1]
    assert ends == {1: "same", 2: "same", 3: "same"}


@pytest.mark.parametrize("reason", [UnreadableReason.NOT_AN_IMAGE, UnreadableReason.TOO_MANY_PIXELS])
def test_the_same_bytes_have_the_same_reason(reason: UnreadableReason) -> None:
    machine = Machine({1: UnreadableImage(reason, "as it is")})

    ends = _ends(machine)

    assert machine.decoded == [1]
    assert ends == {number: f"{reason}: as it is" for number in (1, 2, 3)}


def test_one_that_changes_while_it_is_read_harms_only_itself() -> None:
    machine = Machine({1: "changed"})

    assert _ends(machine) == {1: "changed", 2: "same", 3: "same"}
    assert machine.decoded == [1, 2]


def test_those_that_go_while_they_are_read_harm_only_themselves() -> None:
    gone = UnreadableImage(UnreadableReason.MISSING, "gone")
    machine = Machine({1: gone, 2: gone})

    assert _ends(machine) == {1: "missing: gone", 2: "missing: gone", 3: "same"}
    assert machine.decoded == [1, 2, 3]


def _ends(machine: Machine) -> dict[int, str | None]:
    """Return what each item of a batch ends with: its content, or its failure."""
    done: list[ItemOutcome] = []
    failed: list[Exception] = []
    pipeline = BatchPipeline(
        machine,  # type: ignore[arg-type]
        on_done=lambda claim, outcomes: done.extend(outcomes),
        on_failed=lambda claim, error: failed.append(error),
    )
    known: set[Asked] = set()
    pipeline.put(Claim(1, "t", b"/trip", None, False, 1, ITEMS), known=lambda asked: known)
    pipeline.close()
    assert failed == [] and len(done) == len(ITEMS)
    return {one.item_id: one.image.sha256 if one.image else one.failure for one in done}
