"""How well a worker feeds a device, in under five minutes: `python -m bench.device --home HOME --images DIR`.

For each runtime and network batch: images a second of the bare networks on arrays in memory, of a worker from claim to
commit, and their ratio. On a machine without a device it measures the processor. A warm-up of each is not counted;
after --seconds no other setting is begun.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from functools import partial
from itertools import count, product
from pathlib import Path

from bench.speed.bare_networks import bare_networks
from bench.speed.measured import cost_of, this_machine
from bench.speed.quick_models import DEFAULT, draw_fleet, learning_fleet, quick_model
from bench.speed.site import show_table
from bench.speed.taffrail_run import Site
from db.domain.runtimes import Runtime
from db.settings import Settings
from worker.delivery.devices import list_cards

_Row = tuple[str, int, float, float, float]


def main() -> int:
    """Print the table."""
    asked = _arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="taffrail-bench-") as name:
        folder = Path(name)
        home, images = _home(asked.home, folder), asked.images or _drawn(folder)
        rounds, rows = count(), list[_Row]()
        for runtime, batch in product(asked.runtimes, asked.batches):
            if rows and time.monotonic() - began > asked.seconds:
                print(f"{runtime}, {batch} images a call, and what follows: left out, {asked.seconds:.0f} s are over")
                break
            settings = Settings(home=home, runtime=runtime, network_batch=batch, batch_items=max(64, 4 * batch))
            rows.append(_measured(settings, images, rounds))
    what = ", ".join(list_cards()) or str(this_machine()["processor"])
    head = ["runtime", "images a call", "bare networks, images/s", "worker, images/s", "worker / bare"]
    show_table(f"{what}: input to commit", head, rows)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="A HOME with a champion, which is copied; else one is trained.")
    parser.add_argument("--images", type=Path, help="A folder of JPEGs; else some are drawn.")
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 32, 128], help="Images a network call.")
    parser.add_argument(
        "--runtimes", type=Runtime, nargs="+", choices=tuple(Runtime), default=[Runtime.KERAS, Runtime.KERAS_BF16]
    )
    parser.add_argument("--seconds", type=float, default=200.0, help="After so many, no other setting is begun.")
    return parser.parse_args()


def _home(given: Path | None, folder: Path) -> Path:
    home = folder / "home"
    if given is not None:
        return Path(shutil.copytree(given, home))
    return quick_model(home, learning_fleet(folder), DEFAULT).home


def _drawn(folder: Path) -> Path:
    return draw_fleet(Settings(home=folder / "home"), folder / "asked", images=256, seed=99) / "images"


def _measured(settings: Settings, images: Path, rounds: count[int]) -> _Row:
    """Return the rates of one setting by the clock, each after a warm-up on the same images."""
    site = Site(settings, images)
    bare = bare_networks(site, images)
    for _ in range(2):
        root = site.fresh_copy(next(rounds))
        batches = site.enqueue(root)
        files = len(list(root.rglob("*.jpg")))
        _, worker = cost_of(partial(site.serve, batches), images=files)
        stored = site.stored(root)
        _, networks = cost_of(bare(stored), images=files)
    site.worker.close()
    rates = 1000.0 / networks.wall_ms, 1000.0 / worker.wall_ms
    return stored.runtime, settings.network_batch, *rates, rates[1] / rates[0]


if __name__ == "__main__":
    sys.exit(main())
