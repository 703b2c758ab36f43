"""Makes docs/review-effort.png and its table: wrong images found against images looked at, by the order of looking.

`make effort` draws a labelled fleet and a trip of other cameras, and does the rest with the commands: import, train,
enqueue. Orders are compared before anyone answered, and on what is left after a person who knows the truth answered
the first hundreds. The trip's truth is used for nothing but the answers and the counting.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine

from annotator.simulation.effort import OUR_ORDER, Effort, review_effort
from annotator.simulation.order_figures import augrc, mean_normalised_gain, normalised_gain
from annotator.uncertainty.is_wrong import is_wrong
from db.domain.labels import ImageLabel
from db.domain.predictions import Head
from db.domain.species import DEFAULT_LABEL_SET
from db.migrate import open_database
from db.session import reading
from db.settings import Settings
from db.store.error_probabilities import refresh_error_probabilities
from db.store.model_versions import champion_id
from db.store.review_queue import QueueFilter, ReviewCandidate, load_candidates, waiting_predictions
from worker.sample_fleet.oracle import truth_by_content

LABELS = DEFAULT_LABEL_SET
OBJECTLAB = "ObjectLab"
LOOKED = (0.1, 0.2, 0.3)
_DRAWS = 2_000
_SHARES = np.linspace(0.0, 1.0, 1_001)
_COLOURS = {
    OUR_ORDER: "#0b6e8f",
    "least confidence": "#c2571a",
    "margin": "#d99a2b",
    "entropy": "#3d7d3a",
    OBJECTLAB: "#7a4fa3",
    "random": "#888888",
}


@dataclass(frozen=True)
class Stage:
    """One comparison. answers: how many a person had given before it.

    ahead: by order, by how much of the wrong ones our order finds more in the first fifth, each time that the cameras
    are drawn anew. (D,)
    """

    answers: int
    effort: Effort
    ahead: dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Site:
    """A HOME that commands work in."""

    home: Path

    def cli(self, *words: object) -> None:
        """Run a command and show it with what it says."""
        told = [str(word) for word in words]
        print("$ cli", *told, flush=True)
        environment = {**os.environ, "TAFFRAIL_HOME": str(self.home)}
        subprocess.run([sys.executable, "-m", "cli.main", *told], env=environment, check=True)

    def engine(self) -> Engine:
        """The database of the commands."""
        return open_database(Settings(home=self.home).database)


def main() -> None:
    """Compare the orders before and after a person's answers; write the plot, print the table."""
    asked = _arguments()
    trip, site = asked.work / "trip", Site(asked.work / "home")
    _prepare(site, asked.work / "labelled", trip, labelled_images=asked.labelled, images=asked.images)
    truth = truth_by_content(trip / "truth.json")
    runs = [_run(site, asked.work / f"reviewed_{seed}", trip, truth, asked, seed=seed) for seed in range(asked.seeds)]
    stages = [[run[place] for run in runs] for place in range(asked.rounds + 1)]
    print(_table(stages))
    _plot(stages, asked.out)


def _run(
    site: Site, home: Path, trip: Path, truth: Mapping[str, ImageLabel], asked: argparse.Namespace, *, seed: int
) -> list[Stage]:
    """Return the comparisons of one person's review, whose tenth by chance is drawn with this seed."""
    reviewed = _copy_of(site, home)
    stages = [_compare(reviewed, truth, answers=0, seed=seed)]
    for number in range(1, asked.rounds + 1):
        _review(reviewed, home / f"round_{number}", trip, count=asked.step, seed=seed)
        stages.append(_compare(reviewed, truth, answers=number * asked.step, seed=seed))
    return stages


def _prepare(site: Site, labelled: Path, trip: Path, *, labelled_images: int, images: int) -> None:
    """Make the fleets, the model and its predictions; what is there already is not made again."""
    if not (labelled / "truth.json").exists():
        site.cli("sample", labelled, "--images", labelled_images, "--cameras", 12, "--seed", 1)
    if not (trip / "truth.json").exists():
        site.cli("sample", trip, "--images", images, "--cameras", 20, "--seed", 4, "--first-camera", 100)
    with reading(site.engine()) as session:
        trained = champion_id(session) is not None
    if not trained:
        site.cli("labels", "import", labelled / "labels", "--format", "ncfm", "--images", labelled / "images")
        site.cli("train")
    site.cli("enqueue", trip / "images")


def _copy_of(site: Site, home: Path) -> Site:
    """Return a HOME with the same predictions and no answers, so that a second run begins where the first one did."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    for file in site.home.glob("*.db*"):
        shutil.copy(file, home)
    return Site(home)


def _review(site: Site, folder: Path, trip: Path, *, count: int, seed: int) -> None:
    """Let a person who knows the truth answer what the review shows next; the order follows from the answers."""
    site.cli("review", "export", folder, "--count", count, "--seed", seed)
    site.cli("review", "simulate", folder, "--truth", trip / "truth.json")
    site.cli("review", "import", folder, "--reviewer", "oracle")


def _compare(site: Site, truth: Mapping[str, ImageLabel], *, answers: int, seed: int) -> Stage:
    """Return what each order finds among the images that nobody was shown."""
    engine = site.engine()
    with reading(engine) as session:
        model = champion_id(session)
        assert model is not None
    refresh_error_probabilities(engine, model)
    with reading(engine) as session:
        waiting = waiting_predictions(session, QueueFilter(model_version=model, below=0.5))
        held = load_candidates(session, waiting, with_heatmaps=False)
    trip = [one for one in held.values() if one.sha256 in truth]
    scores = objectlab(trip)
    effort = review_effort(trip, truth, rng=Random(seed), others={OBJECTLAB: scores})
    rivals = {
        "least confidence": [one.answer.probability for one in trip],
        OBJECTLAB: [scores[one.prediction_id] for one in trip],
    }
    wrong = np.array(
        [is_wrong(one.species, [found.detection for found in one.detections], truth[one.sha256]) for one in trip]
    )
    return Stage(answers, effort, {name: _ahead(trip, wrong, np.array(their)) for name, their in rivals.items()})


def _ahead(
    trip: Sequence[ReviewCandidate], wrong: npt.NDArray[np.bool_], theirs: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return by how much more our order finds than another (scores, the lowest first), cameras drawn anew. (D,)"""
    rng, cameras = np.random.default_rng(0), np.array([one.camera for one in trip])
    ours, names = np.array([-one.error_probability for one in trip]), np.unique(cameras)
    more = []
    for _ in range(_DRAWS):
        rows = np.concatenate([np.flatnonzero(cameras == name) for name in rng.choice(names, len(names))])
        rows = rng.permutation(rows)
        first = round(0.2 * len(rows))
        found = [wrong[rows[np.argsort(score[rows], kind="stable")[:first]]].sum() for score in (ours, theirs)]
        more.append((found[0] - found[1]) / max(wrong[rows].sum(), 1))
    return np.array(more)


def objectlab(candidates: Sequence[ReviewCandidate]) -> dict[int, float]:
    """Return cleanlab's quality of each image's answer, by prediction; low is likely wrong.

    ObjectLab asks how well given boxes fit a model's. Nothing is given here, so the answer's boxes are evaluated by all
    that the heat-map head sees. Source: Tkachenko et al. 2023, arXiv 2309.00832.
    """
    from cleanlab.object_detection.rank import get_label_quality_scores

    scores = get_label_quality_scores(
        [_given(one) for one in candidates], [_predicted(one) for one in candidates], verbose=False
    )
    return {one.prediction_id: float(score) for one, score in zip(candidates, scores, strict=True)}


def _given(one: ReviewCandidate) -> dict[str, npt.NDArray[np.generic]]:
    """The image's answer as ObjectLab's label."""
    boxes = [found.box.xyxy for found in one.answer.boxes]
    species = [LABELS.index(found.species) for found in one.answer.boxes]
    return {"bboxes": np.array(boxes, dtype=np.float64).reshape(-1, 4), "labels": np.array(species, dtype=np.int64)}


def _predicted(one: ReviewCandidate) -> npt.NDArray[np.object_]:
    """The heat-map head's fish as ObjectLab's prediction: by species (K, 5), xyxy and confidence."""
    seen = [found.detection for found in one.detections if found.detection.head is Head.HEATMAP]
    rows = np.empty(len(LABELS.names), dtype=object)
    for place, name in enumerate(LABELS.names):
        found = [(*each.box.xyxy, each.confidence) for each in seen if each.species == name]
        rows[place] = np.array(found, dtype=np.float64).reshape(-1, 5)
    return rows


def _table(stages: Sequence[Sequence[Stage]]) -> str:
    """Return the figures of each stage, the means of its runs."""
    names = list(stages[0][0].effort.curves)
    lines = [
        f"| answers before | images left, wrong | looked at | {' | '.join(names)} |",
        f"|---:|---:|---:|{'---:|' * len(names)}",
    ]
    for runs in stages:
        images, wrong = (np.mean([getattr(run.effort, of) for run in runs]) for of in ("images", "wrong"))
        for looked in LOOKED:
            cells = [f"{np.interp(looked, _SHARES, _found(runs, name)):.0%}" for name in names]
            left = f"{images:.0f}, {wrong:.0f}"
            lines.append(f"| {runs[0].answers} | {left} | {looked:.0%} | {' | '.join(cells)} |")
    lines += ["", *_order_table(stages, names), ""]
    for runs in stages:
        for name in runs[0].ahead:
            draws = 100 * np.concatenate([run.ahead[name] for run in runs])
            low, high = np.quantile(draws, [0.025, 0.975])
            told = f"{draws.mean():.0f} points ({low:.0f} to {high:.0f})"
            lines.append(f"after {runs[0].answers} answers, the first 20 %: ahead of {name} by {told}")
    return "\n".join(lines)


def _order_table(stages: Sequence[Sequence[Stage]], names: Sequence[str]) -> list[str]:
    """Return the normalised gains at each share and over all, and the area under the risk-coverage curve."""
    figures: dict[str, Callable[[Sequence[int]], float]] = {
        **{f"gain at {share:.0%}": partial(normalised_gain, looked_share=share) for share in LOOKED},
        "gain over all": mean_normalised_gain,
        "AUGRC": augrc,
    }
    lines = [f"| answers before | figure | {' | '.join(names)} |", f"|---:|---|{'---:|' * len(names)}"]
    for runs in stages:
        for figure, of in figures.items():
            cells = [f"{np.mean([of(run.effort.curves[name]) for run in runs]):.3f}" for name in names]
            lines.append(f"| {runs[0].answers} | {figure} | {' | '.join(cells)} |")
    return lines


def _found(runs: Sequence[Stage], name: str) -> npt.NDArray[np.float64]:
    """Return the share of the wrong ones found after looking at each share of `_SHARES`, the mean of the runs."""
    each = []
    for run in runs:
        curve = np.array(run.effort.curves[name]) / run.effort.wrong
        each.append(np.interp(_SHARES, np.linspace(0.0, 1.0, len(curve)), curve))
    return np.asarray(np.mean(each, axis=0))


def _plot(stages: Sequence[Sequence[Stage]], file: Path) -> None:
    """Draw the first and the last stage, with the best that any order could do."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [stages[0], *stages[1:][-1:]]
    figure, axes = pyplot.subplots(1, len(shown), figsize=(5 * len(shown), 4.2), layout="constrained", squeeze=False)
    for axis, runs in zip(axes[0], shown, strict=True):
        images, wrong = (np.mean([getattr(run.effort, of) for run in runs]) for of in ("images", "wrong"))
        axis.plot(_SHARES, np.minimum(_SHARES * images / wrong, 1.0), ":", color="#bbbbbb", label="best")
        for name in runs[0].effort.curves:
            axis.plot(_SHARES, _found(runs, name), color=_COLOURS[name], label=name)
        axis.axvline(0.2, color="#dddddd", zorder=0)
        told = "before any answer" if runs[0].answers == 0 else f"after {runs[0].answers} answers"
        axis.set_title(f"{told}: {images:.0f} images, {wrong:.0f} wrong", fontsize=9)
        axis.set_xlabel("share of the images looked at")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("share of the wrong ones found")
    axes[0][0].legend(frameon=False, fontsize=8)
    figure.savefig(file, dpi=110)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/effort"), help="fleets, HOME; what is there is used")
    parser.add_argument("--labelled", type=int, default=600, help="images to learn from, of 12 cameras")
    parser.add_argument("--images", type=int, default=1_000, help="images of the trip, of 20 other cameras")
    parser.add_argument("--step", type=int, default=100, help="images that a person answers in a round")
    parser.add_argument("--rounds", type=int, default=2, help="rounds")
    parser.add_argument("--seeds", type=int, default=4, help="reviews, each with another tenth by chance, to average")
    parser.add_argument("--out", type=Path, default=Path("docs/review-effort.png"), help="the plot")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
