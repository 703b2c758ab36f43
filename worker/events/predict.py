"""Calls a small network in batches of one shape, so that it is traced once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from worker.events.sightings import Floats
from worker.models.padded import padded

Arrays = dict[str, Floats]


def fixed_call(model: Any, *, batch: int) -> Callable[[Arrays], Arrays]:
    """Return a call that takes any number of rows of every input and returns as many of every output."""

    def call(inputs: Arrays) -> Arrays:
        count = len(next(iter(inputs.values())))
        parts = []
        for start in range(0, count, batch):
            rows = {name: padded(value[start : start + batch], batch) for name, value in inputs.items()}
            parts.append({name: np.asarray(value) for name, value in model.predict_on_batch(rows).items()})
        return {name: np.concatenate([part[name] for part in parts])[:count] for name in parts[0]}

    return call
