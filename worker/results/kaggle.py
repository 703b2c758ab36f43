"""The competition's table: a row an image, a probability a species, each row sums to exactly 1."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from db.domain.results import ImageResult
from worker.results.as_csv import harmless
from worker.results.files import new_file
from worker.results.options import Export

_UNITS = 10**8  # probabilities are written with eight decimals


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the table; every image with a result has a place in it, so nothing is returned."""
    with new_file(out) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["image", *map(harmless, export.label_set.names)])
        for result in results:
            if (answer := export.answer(result)) is not None:
                rows.writerow([harmless(result.path), *exact_decimals(export.probabilities(answer))])
    return []


def exact_decimals(probabilities: Sequence[float]) -> list[str]:
    """Return probabilities with eight decimals that sum to exactly 1; the largest takes what rounding left.

    >>> exact_decimals([1 / 3, 1 / 3, 1 / 3])
    ['0.33333334', '0.33333333', '0.33333333']
    """
    total = sum(probabilities)
    units = [round(value / total * _UNITS) for value in probabilities]
    units[units.index(max(units))] += _UNITS - sum(units)
    return [f"{unit // _UNITS}.{unit % _UNITS:08d}" for unit in units]
