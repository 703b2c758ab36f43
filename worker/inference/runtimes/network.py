"""A network ready to be called, whatever runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from db.domain.runtimes import Runtime
from worker.models.errors import ModelError

Batch = npt.NDArray[np.uint8]
Given = Batch | Sequence[npt.NDArray[np.float32]]
"""Images, or features of several levels for a graph that is heads alone."""
Outputs = Mapping[str, npt.NDArray[np.float32]]
SINGLE_OUTPUT = "output"


class RuntimeMissing(ModelError):
    """The runtime is not installed here, or was not prepared for this model."""


class Network(Protocol):
    """A network with its batch norms folded; one call at a time."""

    runtime: Runtime

    def __call__(self, batch: Given) -> Outputs:
        """Return every output by name, float32; a network of one output calls it `output`. batch: (B, ...) each."""
