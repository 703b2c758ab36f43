"""Do the intervals keep their promise? `make promises` draws seasons whose truth is known and says so, or ends with 1.

It prints the tables of docs/estimates.md and draws docs/estimates.png. No images, no networks: two minutes a core.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench.promises.broken import unweighted_mean, whole_cameras
from bench.promises.play import (
    FIGURES,
    SPECIES,
    WRONG,
    Outcome,
    Promise,
    design_of,
    keep_missed,
    ours,
    outcomes,
    plan_of,
    review,
)
from bench.promises.seasons import Model, draw_season
from bench.promises.sizes import COMMON_ENOUGH, SIZES, images_as_plain, plain, planned, widths
from bench.promises.whole_days import DAYS_DRAWN, DAYS_INDEPENDENT, RESAMPLED, WHOLE_DAYS, day_outcomes
from db.domain.plans import Target

LEAST_COVERAGE = 0.93
LEAST_KEPT = 0.95
MOST_IMAGES = {Model.DECENT: 0.5, Model.USELESS: 1.1}
_IMAGES = 400
_CERTAIN_SHARE = 0.1
_CAMERAS_WHOLE = 8
UNWEIGHTED = "reviewed images alike, no weights"
INDEPENDENT = "whole cameras, images as independent"


@dataclass(frozen=True)
class Played:
    """What came of one season. by: estimator or group -> figures. promise: of a plan for a miss rate."""

    model: Model
    by: Mapping[str, Sequence[Outcome]]
    promise: Promise


def main() -> int:
    """Print the tables, draw the plot; return 1 where a promise is broken or a broken estimator was not found out."""
    asked = _arguments()
    with ProcessPoolExecutor(asked.processes) as pool:
        seasons = [(model, seed) for seed in range(asked.seasons) for model in Model]
        played = list(pool.map(_play, seasons, chunksize=4))
        sizes = list(pool.map(partial(_widths, seasons=max(10, asked.seasons // 2)), _pairs()))
    failures = [
        *_told_coverage(played),
        *_told_days(played),
        *_told_broken(played),
        *_told_promises(played),
        *_told_sizes(sizes),
    ]
    _plot(played, {pair: (ours_, plain_) for pair, ours_, plain_ in sizes}, asked.out)
    for failure in failures:
        print(f"BROKEN: {failure}")
    return 1 if failures else 0


def _play(which: tuple[Model, int]) -> Played:
    model, seed = which
    season = draw_season(model, rng=np.random.default_rng([7, seed]))
    sample = review(season, plan_of(season, design_of(_IMAGES, seed=seed, certain_share=_CERTAIN_SHARE)))
    by = {group: outcomes(season, sample, ours, by=group) for group in ("job", "camera", "day")}
    by |= day_outcomes(season, seed=seed)
    by[UNWEIGHTED] = outcomes(season, sample, unweighted_mean, by="job")
    by[INDEPENDENT] = outcomes(season, review(season, whole_cameras(season, _CAMERAS_WHOLE, seed=seed)), ours, by="job")
    return Played(model, by, keep_missed(season, Target("missed", 0.1), seed=1_000 * seed))


def _pairs() -> list[tuple[Model, str]]:
    return [(model, name) for model in (Model.GOOD, Model.DECENT, Model.USELESS) for name in SPECIES]


def _widths(pair: tuple[Model, str], *, seasons: int) -> tuple[tuple[Model, str], np.ndarray, np.ndarray]:
    model, name = pair
    return pair, widths(model, name, planned(name), seasons=seasons), widths(model, name, plain, seasons=seasons)


def _coverage(played: Iterable[Played], by: str) -> dict[str, float]:
    """Return by figure the share of intervals that hold the truth, of those that were given."""
    found = defaultdict(list)
    for one in played:
        for outcome in one.by[by]:
            if outcome.covered is not None:
                found[outcome.figure].append(outcome.covered)
    return {figure: float(np.mean(found[figure])) for figure in (*FIGURES, WRONG) if found[figure]}


def _told_coverage(played: Sequence[Played]) -> list[str]:
    print(f"\nShare of 95 % intervals that hold the truth: {len(played)} seasons, plans of {_IMAGES} images")
    _row("figures", "model", *FIGURES, WRONG)
    _row(*["---"] * (len(FIGURES) + 3))
    failures = []
    for by in ("job", "camera", "day"):
        for model in Model:
            cells = _coverage([one for one in played if one.model is model], by)
            _row(f"by {by}" if by != "job" else "whole job", model, *(f"{cells[figure]:.1%}" for figure in cells))
        every = _coverage(played, by)
        failures += [
            f"{figure} by {by}: {share:.1%} of the intervals hold the truth"
            for figure, share in every.items()
            if share < LEAST_COVERAGE
        ]
    return failures


def _told_days(played: Sequence[Played]) -> list[str]:
    print(f"\nPlans of {DAYS_DRAWN} whole days, whole job")
    _row("intervals", *FIGURES)
    _row(*["---"] * (len(FIGURES) + 1))
    for name in (WHOLE_DAYS, RESAMPLED, DAYS_INDEPENDENT):
        _row(name, *(f"{share:.1%}" for share in _of_job(played, name).values()))
    failures = [
        f"{figure} from whole days: {share:.1%} of the intervals hold the truth"
        for figure, share in _of_job(played, WHOLE_DAYS).items()
        if share < LEAST_COVERAGE
    ]
    if min(_of_job(played, DAYS_INDEPENDENT).values()) >= LEAST_COVERAGE:
        failures.append(f"the bench does not find out: {DAYS_INDEPENDENT}")
    return failures


def _of_job(played: Sequence[Played], name: str) -> dict[str, float]:
    return {figure: share for figure, share in _coverage(played, name).items() if figure in FIGURES}


def _told_broken(played: Sequence[Played]) -> list[str]:
    print("\nBroken estimators, the same seasons, whole job")
    _row("estimator", *FIGURES, WRONG)
    _row(*["---"] * (len(FIGURES) + 2))
    failures = []
    for name in (UNWEIGHTED, INDEPENDENT):
        cells = _coverage(played, name)
        _row(name, *(f"{share:.1%}" for share in cells.values()))
        if min(cells.values()) >= LEAST_COVERAGE:
            failures.append(f"the bench does not find out: {name}")
    return failures


def _told_promises(played: Sequence[Played]) -> list[str]:
    print("\nA promised miss rate of 10 %: plans until the bound says that it is reached")
    _row("model", "seasons", "reached", "kept where reached", "images, median", "plans, mean")
    _row(*["---"] * 6)
    failures = []
    for model in Model:
        promises = [one.promise for one in played if one.model is model]
        reached = [one for one in promises if one.declared]
        images, plans = np.median([one.images for one in promises]), np.mean([one.plans for one in promises])
        kept = f"{np.mean([one.kept for one in reached]):.1%}" if reached else "-"
        _row(model, len(promises), len(reached), kept, f"{images:.0f}", f"{plans:.1f}")
    declared = [one.promise for one in played if one.promise.declared]
    share = float(np.mean([one.kept for one in declared])) if declared else 0.0
    if share < LEAST_KEPT:
        failures.append(f"the promised miss rate holds in {share:.1%} of the seasons that say so")
    return failures


def _told_sizes(sizes: Sequence[tuple[tuple[Model, str], np.ndarray, np.ndarray]]) -> list[str]:
    print("\nImages that a plan needs for one of a plain random sample, intervals of the same width")
    _row("model", *SPECIES)
    _row(*["---"] * (len(SPECIES) + 1))
    ratios = {pair: images_as_plain(ours_, plain_) for pair, ours_, plain_ in sizes}
    failures = []
    for model in dict.fromkeys(model for model, _ in ratios):
        _row(model, *(f"{ratios[model, name]:.2f}" for name in SPECIES))
        failures += [
            f"{model} model, {name}: a plan needs {ratios[model, name]:.2f} as many images"
            for name in COMMON_ENOUGH
            if ratios[model, name] > MOST_IMAGES.get(model, np.inf)
        ]
    return failures


def _row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def _plot(
    played: Sequence[Played], sizes: Mapping[tuple[Model, str], tuple[np.ndarray, np.ndarray]], file: Path
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    names = {
        "job": "whole job",
        "camera": "by camera",
        "day": "by day",
        UNWEIGHTED: UNWEIGHTED,
        INDEPENDENT: INDEPENDENT,
    }
    for place, by in enumerate(names):
        shares = list(_coverage(played, by).values())
        colour = "#0b6e8f" if place < 3 else "#c2571a"
        left.plot(shares, [place] * len(shares), "o", color=colour, alpha=0.7)
    left.axvline(0.95, color="#888888", linestyle=":")
    left.set_yticks(range(len(names)), list(names.values()))
    left.invert_yaxis()
    left.set_xlabel("share of 95 % intervals that hold the truth, a dot a figure")
    for model, colour in ((Model.GOOD, "#0b6e8f"), (Model.DECENT, "#7a4fa3"), (Model.USELESS, "#c2571a")):
        ours_, plain_ = sizes[model, "BET"]
        right.plot(SIZES, ours_, color=colour, label=f"plan, {model} model")
    right.plot(SIZES, plain_, "--", color="#888888", label="plain random sample")
    right.set(xscale="log", yscale="log", xlabel="images reviewed", ylabel="half-width of BET's total, share of it")
    right.legend(frameon=False, fontsize=8)
    right.grid(alpha=0.3, which="both")
    figure.savefig(file, dpi=110)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seasons", type=int, default=40, help="seasons of each of the five kinds of model")
    parser.add_argument("--processes", type=int, default=2, help="processes at once")
    parser.add_argument("--out", type=Path, default=Path("docs/estimates.png"), help="the plot")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
