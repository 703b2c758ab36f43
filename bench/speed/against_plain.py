"""Taffrail end to end against the loop that a user would write and against its bare networks: `make bench`.

Interleaved rounds in one process; medians; processor and wall time an image. Writes a JSON and a plot.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from bench.speed.bare_networks import bare_networks
from bench.speed.measured import Cost, cost_of, this_machine
from bench.speed.plain_loop import PlainLoop
from bench.speed.quick_models import DEFAULT, VGG16, draw_fleet, learning_fleet, quick_model
from bench.speed.site import median, show_table
from bench.speed.speed_plot import plot_costs
from bench.speed.taffrail_run import Site
from db.domain.runtimes import Runtime
from db.settings import Settings
from worker.images.decode import decode_image

# VGG16 takes ten times as long an image, and varies less.
_VGG16_SHARE = 6
_PLAIN, _SAME_CROPS, _TAFFRAIL, _BARE, _DECODING = (
    "plain loop, every box",
    "plain loop, kept boxes",
    "Taffrail, end to end",
    "bare networks",
    "decoding alone",
)
_WAYS = (_PLAIN, _SAME_CROPS, _TAFFRAIL, _BARE, _DECODING)
_WANTED = {"default": (4.0, 0.9), "vgg16": (3.0, 0.95)}
"""Of each model: the plain loop against Taffrail, and the bare networks against Taffrail, in processor time."""


@dataclass
class Compared:
    """One model's figures. costs: by what was measured, one a round."""

    model: str
    runtime: str
    images: int
    crops_an_image: float
    plain_crops_an_image: float
    same_answers: float
    costs: dict[str, list[Cost]] = field(default_factory=lambda: {what: [] for what in _WAYS})

    def middle(self, what: str) -> Cost:
        """Return the medians of what was measured."""
        of_rounds = self.costs[what]
        return Cost(median([one.cpu_ms for one in of_rounds]), median([one.wall_ms for one in of_rounds]))

    def ratio(self, what: str, to: str) -> Cost:
        """Return how many times as much one thing takes as another, by both clocks; the median of the rounds' own."""
        pairs = list(zip(self.costs[what], self.costs[to], strict=True))
        return Cost(
            median([one.cpu_ms / other.cpu_ms for one, other in pairs]),
            median([one.wall_ms / other.wall_ms for one, other in pairs]),
        )


def main() -> int:
    """Print the table, and return 1 where a ratio of the default model is below what is wanted."""
    asked = _arguments()
    machine = this_machine()
    with tempfile.TemporaryDirectory(prefix="taffrail-bench-") as name:
        folder = Path(name)
        found = [_compare(model, asked, folder) for model in asked.models]
    for one in found:
        _show(one)
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "speed.json").write_text(json.dumps(_told(machine, found), indent=1) + "\n", encoding="utf-8")
        plot_costs({one.model: {what: one.middle(what) for what in one.costs} for one in found}, asked.out)
    return int(any(_falls_short(one) for one in found))


def _falls_short(one: Compared) -> bool:
    of_plain, of_bare = _WANTED[one.model]
    return one.ratio(_PLAIN, _TAFFRAIL).cpu_ms < of_plain or one.ratio(_BARE, _TAFFRAIL).cpu_ms < of_bare


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=32, help="Images a round of the default model.")
    parser.add_argument("--rounds", type=int, default=3, help="Rounds that count; one more warms up.")
    parser.add_argument("--models", nargs="+", choices=("default", "vgg16"), default=["default", "vgg16"])
    parser.add_argument("--home", type=Path, help="A HOME whose champion is `default`; else one is trained.")
    parser.add_argument("--vgg16-home", type=Path, help="The same of `vgg16`.")
    installed = importlib.util.find_spec("openvino") is not None
    default = Runtime.OPENVINO_BF16 if installed else Runtime.KERAS
    parser.add_argument("--runtime", type=Runtime, choices=tuple(Runtime), default=default)
    parser.add_argument("--out", type=Path, help="Folder for speed.json and speed.png.")
    return parser.parse_args()


def _compare(model: str, asked: argparse.Namespace, folder: Path) -> Compared:
    images = asked.images if model == "default" else max(8, asked.images // _VGG16_SHARE)
    settings = _settings(model, asked, folder)
    drawn = draw_fleet(settings, folder / f"asked-{model}", images=images, seed=99) / "images"
    site = Site(settings, drawn)
    loop = PlainLoop(site.card, site.folder)
    bare = bare_networks(site, drawn)
    compared: Compared | None = None
    for number in range(asked.rounds + 1):  # the first round loads, traces and finds the cameras' fish sizes
        root = site.fresh_copy(number)
        batches = site.enqueue(root)
        _, taffrail = cost_of(partial(site.serve, batches), images=images)
        stored = site.stored(root)
        inputs = {root / path: input_hw for path, input_hw in stored.inputs.items()}
        loop.crops_seen = 0
        asked_of_loop = partial(loop.answer, sorted(inputs), inputs)
        answers, plain = cost_of(partial(asked_of_loop, root / "plain", every_box=True), images=images)
        loop_crops = loop.crops_seen
        _, kept = cost_of(partial(asked_of_loop, root / "kept", every_box=False), images=images)
        _, networks = cost_of(bare(stored), images=images)
        _, decoding = cost_of(partial(_decode, sorted(inputs)), images=images)
        if compared is None:
            agree = np.mean([answers[root / path] == said for path, said in stored.species.items()])
            counts = stored.crops / images, loop_crops / images
            compared = Compared(model, stored.runtime, images, *counts, float(agree))
            continue
        for what, cost in zip(_WAYS, (plain, kept, taffrail, networks, decoding), strict=True):
            compared.costs[what].append(cost)
    site.worker.close()
    assert compared is not None
    return compared


def _settings(model: str, asked: argparse.Namespace, folder: Path) -> Settings:
    home = folder / f"home-{model}"
    given = asked.home if model == "default" else asked.vgg16_home
    if given is not None:
        shutil.copytree(given, home)
    else:
        fleet = folder / "fleet" if (folder / "fleet").exists() else learning_fleet(folder)
        quick_model(home, fleet, DEFAULT if model == "default" else VGG16)
    return Settings(home=home, runtime=asked.runtime)


def _decode(files: Sequence[Path]) -> None:
    for file in files:
        decode_image(file.read_bytes())


def _show(one: Compared) -> None:
    rows = [(what, one.middle(what).cpu_ms, one.middle(what).wall_ms) for what in one.costs]
    rows += [
        (f"{what} / {to}", one.ratio(what, to).cpu_ms, one.ratio(what, to).wall_ms)
        for what, to in ((_PLAIN, _TAFFRAIL), (_SAME_CROPS, _TAFFRAIL), (_BARE, _TAFFRAIL))
    ]
    show_table(
        f"{one.model}, {one.runtime}: {one.images} images a round; {one.crops_an_image:.1f} crops an image, "
        f"{one.plain_crops_an_image:.1f} in the plain loop; {one.same_answers:.1%} of the answers are the same",
        ["what", "processor ms", "wall ms"],
        rows,
    )


def _told(machine: dict[str, str | int | float], found: Sequence[Compared]) -> dict[str, object]:
    return {"machine": machine, "models": [asdict(one) for one in found]}


if __name__ == "__main__":
    sys.exit(main())
