"""The figures of docs/events.md: both recurrent cells against simpler counts; about five minutes on two idle cores.

`python -m bench.events [--cell gru] [--model FILE]`. Sightings are simulated from the truth of planned sequences, see
worker/events/simulated.py.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from db.domain.event_figures import ComparedCounts, CountFigures
from worker.events.compare_counts import compare_counts
from worker.events.follow import NetworkFollower
from worker.events.learn import LearnSettings, learn_follower
from worker.events.train_follower import FollowerSettings
from worker.models.keras_import import keras
from worker.models.recurrent import RecurrentCell

_HEAD = ("images a second", "count", "error", "counted once", "species right", "looks an animal")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", default=RecurrentCell.GRU, type=RecurrentCell, choices=list(RecurrentCell))
    parser.add_argument("--model", type=Path, help="kept there, and taken from there when it is")
    asked = parser.parse_args()
    found = compare_counts(NetworkFollower(_model(asked.cell, asked.model)))
    for row in (_HEAD, ("---",) * len(_HEAD), *(row for one in found for row in _rows(one))):
        print(f"| {' | '.join(row)} |")
    for one in found:
        ways = ", ".join(f"{name} {share:.3f}" for name, share in one.species.items())
        print(f"{one.per_second:g} a second: {one.named:.3f} of the sightings name their species; animals by {ways}")


def _model(cell: RecurrentCell, file: Path | None) -> Any:
    if file is not None and file.exists():
        return keras.saving.load_model(file)
    started = time.perf_counter()
    model = learn_follower(LearnSettings(follower=FollowerSettings(cell=cell)))
    print(f"learnt in {time.perf_counter() - started:.0f} s", flush=True)
    if file is not None:
        model.save(file)
    return model


def _rows(one: ComparedCounts) -> list[tuple[str, ...]]:
    rate = f"{one.per_second:g}"
    return [
        (rate, "images / mean length", f"{one.by_length:.3f}", "", "", ""),
        (rate, "most at once", f"{one.most_at_once:.3f}", "", "", ""),
        (rate, "tracker alone", *_cells(one.tracker)),
        (rate, "events", *_cells(one.events)),
    ]


def _cells(figures: CountFigures) -> tuple[str, ...]:
    return tuple(f"{value:.3f}" for value in (figures.error, figures.once, figures.species, figures.looks))


if __name__ == "__main__":
    main()
