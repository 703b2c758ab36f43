"""Calls a network in batches of one shape: a short one is padded, so that nothing is ever traced again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from db.errors import TaffrailError
from worker.models.padded import padded

Rows = npt.NDArray[Any]
Outputs = dict[str, npt.NDArray[np.float32]]
Call = Callable[[Rows], Mapping[str, Any]]
"""A network: from (B, ...) rows to its outputs by name, (B, ...) each."""


class NetworkFailed(TaffrailError):
    """The network library failed; no image's fault, for to the network all images are alike."""

    def __init__(self, error: Exception) -> None:
        first_line = (str(error).strip().splitlines() or [""])[0][:300]
        super().__init__(f"the network failed: {type(error).__name__}: {first_line}")


def in_fixed_batches(call: Call, rows: Rows, *, size: int) -> Outputs:
    """Return the network's outputs for any number of rows, (N, ...) float32 each; the network sees (size, ...) only.

    Raises:
        NetworkFailed: the network library raised whatever it did.
    """
    starts = range(0, max(len(rows), 1), size)  # of no rows, too, the outputs' shapes are wanted
    parts = [_called(call, rows[start : start + size], size) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) if parts[1:] else parts[0][name] for name in parts[0]}


@contextmanager
def network_faults() -> Iterator[None]:
    """Turn whatever a network library raises into NetworkFailed."""
    try:
        yield
    except NetworkFailed:
        raise
    except Exception as error:
        raise NetworkFailed(error) from error


def _called(call: Call, rows: Rows, size: int) -> Outputs:
    with network_faults():
        said = call(padded(rows, size))
        return {name: np.array(value, dtype=np.float32)[: len(rows)] for name, value in said.items()}
