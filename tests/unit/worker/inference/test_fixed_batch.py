"""A network sees one batch shape, whatever number of rows is asked; its failure is the network's, not an image's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from worker.inference.fixed_batch import NetworkFailed, in_fixed_batches


class _Doubling:
    """A network that doubles its rows, and remembers the shapes that it saw."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, rows: Any) -> Mapping[str, Any]:
        self.shapes.append(rows.shape)
        return {"doubled": rows * 2, "sum": rows.sum(axis=1)}


@pytest.mark.parametrize(
    ("count", "calls"), [(1, 1), (4, 1), (5, 2), (8, 2)], ids=["one", "a batch", "one more", "two batches"]
)
def test_every_row_is_answered_in_its_place_and_the_network_sees_one_shape(count: int, calls: int) -> None:
    network, rows = _Doubling(), np.arange(2 * count, dtype=np.uint8).reshape(count, 2)

    said = in_fixed_batches(network, rows, size=4)

    assert said["doubled"].tolist() == (2 * rows).tolist()
    assert said["sum"].tolist() == rows.sum(axis=1).tolist()
    assert said["sum"].dtype == np.float32
    assert network.shapes == [(4, 2)] * calls


def test_of_no_rows_the_outputs_have_their_shapes() -> None:
    said = in_fixed_batches(_Doubling(), np.zeros((0, 2), dtype=np.uint8), size=4)

    assert said["doubled"].shape == (0, 2)
    assert said["sum"].shape == (0,)


def test_what_the_library_raises_is_told_in_one_line() -> None:
    def broken(_rows: Any) -> Mapping[str, Any]:
        raise RuntimeError("out of memory\nwhile allocating\na tensor")

    with pytest.raises(NetworkFailed, match=r"^the network failed: RuntimeError: out of memory$"):
        in_fixed_batches(broken, np.zeros((1, 2), dtype=np.uint8), size=4)
