"""How many files a second an enqueue registers from a warm folder, and how much memory it takes (`--files N`)."""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path

from bench.speed.site import median, show_table, thrown_away
from worker.images.enqueue import enqueue_folder
from worker.images.scan import scan_folder

_FILES = 100_000
_WANTED = 30_000.0
_WANTED_MIB = 300.0
_RUNS = 3


def main() -> int:
    """Print files a second and memory; return 1 where it is too slow or takes too much."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=_FILES)
    parser.add_argument("--engine", choices=["sqlite", "postgres"], default="sqlite")
    asked = parser.parse_args()
    rates: list[float] = []
    with thrown_away(asked.engine) as (settings, engine):
        folder = settings.home.parent / "images"
        _make_files(folder, asked.files)
        scanned = _scan_rate(folder)
        for run in range(_RUNS):
            here = folder.rename(folder.with_name(f"images-{run}"))  # other paths: all files are new again
            started, cpu = time.perf_counter(), time.process_time()
            enqueue_folder(engine, settings, os.fsencode(here))
            rates.append(asked.files / (time.perf_counter() - started))
            cpu_rate = asked.files / (time.process_time() - cpu)
            folder = here
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    head = ["files", "database", "files/s", "wanted", "per CPU second", "scan alone files/s", "peak MiB", "at most"]
    row = [asked.files, asked.engine, median(rates), _WANTED, cpu_rate, scanned, peak_mib, _WANTED_MIB]
    show_table("Enqueue of one warm folder: scan, stat, insert, batches", head, [row])
    return int(median(rates) < _WANTED or peak_mib > _WANTED_MIB)


def _make_files(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        os.close(os.open(folder / f"cam_{number % 33:02d}-{number:07d}.jpg", os.O_CREAT | os.O_WRONLY))


def _scan_rate(folder: Path) -> float:
    started = time.perf_counter()
    count = sum(1 for _ in scan_folder(os.fsencode(folder), on_problem=lambda path, text: None))
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(main())
