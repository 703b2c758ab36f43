"""Makes docs/first-model.md and docs/first-model.jpg: figures of several draws, and what was seen on unseen cameras.

Each draw's figures are kept below --home: a run that was stopped goes on. About four minutes a draw on two idle cores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.first_model.fleets import draw_fleets
from bench.first_model.page import page_text
from bench.first_model.sheet import draw_sheet
from bench.first_model.ways import THREE_BOXES, all_ways

Figures = dict[str, dict[str, float]]


def main() -> None:
    """Run the draws that are missing, and write the page of all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--labels", type=int, default=150, help="images to learn from, and as many to judge on")
    parser.add_argument("--cameras", type=int, default=5, help="cameras to learn from, and as many to judge on")
    parser.add_argument("--home", type=Path, default=Path("build/first_model"))
    parser.add_argument("--out", type=Path, default=Path("docs/first-model.md"))
    asked = parser.parse_args()
    draws = [_draw(number, asked) for number in range(asked.draws)]
    command = "make first-model" if asked.draws > 1 else "make first-model DRAWS=1"
    asked.out.write_text(page_text(draws, labels=asked.labels, cameras=asked.cameras, command=command))
    print(asked.out.read_text())


def _draw(number: int, asked: argparse.Namespace) -> Figures:
    kept = asked.home / f"figures-{number}-{asked.labels}-{asked.cameras}.json"
    if kept.exists():
        found: Figures = json.loads(kept.read_text())
        return found
    draw = draw_fleets(number, labels=asked.labels, cameras=asked.cameras, home=asked.home)
    judged = all_ways(draw, features_dir=asked.home / "features")
    figures = {one.way: one.figures for one in judged}
    if number == 0:
        shown = next(one for one in judged if one.way == THREE_BOXES)
        draw_sheet(draw.judge, shown.seen).save(asked.out.with_suffix(".jpg"), quality=80)
    kept.write_text(json.dumps(figures, indent=1))
    print(
        f"draw {number}: " + json.dumps({way: round(one["fish_ap50"], 3) for way, one in figures.items()}), flush=True
    )
    return figures


if __name__ == "__main__":
    main()
