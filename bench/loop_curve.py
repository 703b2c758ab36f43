"""Makes docs/loop-curve.png and its table: accuracy on cameras never seen, by the number of corrected images.

`make loop` trains a first model on some labelled cameras of the sample fleet. Then, round after round, a person who
knows the truth corrects images of other cameras and a model learns from all that was said so far: once they are
chosen as the review chooses them (the most doubtful ones, a tenth by chance), once all by chance.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from annotator.export.select import choose
from bench.heads_table import draw_fleet, fleet_samples
from db.domain.error_probability import error_probability_by_rule
from db.domain.species import DEFAULT_LABEL_SET
from db.settings import Settings
from worker.images.labelled import open_labelled
from worker.inference.detector import Detector, prediction_of
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import held_out_cameras
from worker.training.detector.settings import TrainSettings
from worker.training.detector.train_detector import TrainedDetector, train_detector
from worker.vision.letterbox import fit_letterbox, letterbox_image

INPUT_HW = (180, 320)  # a quarter of the default's pixels: the whole curve takes minutes
OURS, CHANCE = "our choice", "by chance"
_BATCH = 16

Select = Callable[[TrainedDetector, Sequence[TrainingSample], int, Random], list[TrainingSample]]


@dataclass(frozen=True)
class Point:
    """One trained model. corrected: images that were corrected so far."""

    selection: str
    seed: int
    corrected: int
    accuracy: float
    balanced_accuracy: float
    log_loss: float


@dataclass(frozen=True)
class Fleet:
    """Who teaches and who evaluates. labelled: the first labels; pool: what may be corrected; held_out: evaluated
    on.
    """

    labelled: list[TrainingSample]
    pool: list[TrainingSample]
    held_out: list[TrainingSample]

    @property
    def held_out_cameras(self) -> tuple[str, ...]:
        """The cameras that no model learns from."""
        return tuple(sorted({sample.camera for sample in self.held_out}))


def main() -> None:
    """Draw the curve of both selections."""
    asked = _arguments()
    if not (asked.fleet / "truth.json").exists():
        draw_fleet(asked.fleet, images=asked.images)
    fleet = split_fleet(fleet_samples(asked.fleet, asked.images), labelled=asked.labelled)
    about = (
        f"{len(fleet.labelled)} labelled images of {len({sample.camera for sample in fleet.labelled})} cameras, "
        f"{len(fleet.pool)} that may be corrected of {len({sample.camera for sample in fleet.pool})} others, "
        f"evaluated on {len(fleet.held_out)} of {len(fleet.held_out_cameras)} cameras never seen"
    )
    print(about, flush=True)
    points: list[Point] = []
    for seed in range(asked.seeds):
        points += _curves(fleet, asked.home / "features", step=asked.step, rounds=asked.rounds, seed=seed)
    (asked.home / "loop_curve.json").write_text(json.dumps([dataclasses.asdict(point) for point in points], indent=1))
    _plot(points, about, asked.out)
    print(_table(points))


def split_fleet(samples: Sequence[TrainingSample], *, labelled: int) -> Fleet:
    """Return the fleet with so many cameras labelled at first; the others come later, as new boats do."""
    cameras, species = [sample.camera for sample in samples], [sample.label.species for sample in samples]
    held = set(held_out_cameras(cameras, species, share=0.25, seed=0))
    first = set(sorted(set(cameras) - held)[:labelled])
    return Fleet(
        [sample for sample in samples if sample.camera in first],
        [sample for sample in samples if sample.camera not in first | held],
        [sample for sample in samples if sample.camera in held],
    )


def _curves(fleet: Fleet, features_dir: Path, *, step: int, rounds: int, seed: int) -> list[Point]:
    """Return both curves of one seed; they begin at the same first model."""
    first = _train(fleet, [], features_dir, seed=seed)
    points = [_point(name, seed, 0, first) for name in (OURS, CHANCE)]
    print(points[0], flush=True)
    selections: dict[str, Select] = {OURS: _doubtful, CHANCE: _at_random}
    models = dict.fromkeys(selections, first)
    corrected: dict[str, list[TrainingSample]] = {name: [] for name in selections}
    rngs = {name: Random(seed) for name in selections}
    for _ in range(rounds):
        for name, select in selections.items():
            known = {sample.sha256 for sample in corrected[name]}
            left = [sample for sample in fleet.pool if sample.sha256 not in known]
            corrected[name] += select(models[name], left, min(step, len(left)), rngs[name])
            models[name] = _train(fleet, corrected[name], features_dir, seed=seed)
            points.append(_point(name, seed, len(corrected[name]), models[name]))
            print(points[-1], flush=True)
    return points


def _train(fleet: Fleet, corrected: Sequence[TrainingSample], features_dir: Path, *, seed: int) -> TrainedDetector:
    """Return a model that learnt from the first labels and the corrections, weighed as a retraining weighs them."""
    weight = Settings.model_fields["correction_weight"].default
    said = [dataclasses.replace(sample, weight=weight) for sample in corrected]
    settings = TrainSettings(input_hw=INPUT_HW, held_out=fleet.held_out_cameras, seed=seed)
    return train_detector([*fleet.labelled, *said, *fleet.held_out], settings=settings, features_dir=features_dir)


def _doubtful(model: TrainedDetector, left: Sequence[TrainingSample], count: int, rng: Random) -> list[TrainingSample]:
    """Return what the review would show: the most doubtful flagged images, and unflagged ones by chance."""
    error_probabilities = _error_probabilities(model, left)
    bar = 1.0 - Settings.model_fields["flag_below"].default
    order = np.argsort(-error_probabilities, kind="stable")
    flagged = [left[place] for place in order if error_probabilities[place] > bar]
    agreed = [left[place] for place in order if error_probabilities[place] <= bar]
    return [one.key for one in choose(flagged, agreed, count=count, rng=rng)]


def _at_random(model: TrainedDetector, left: Sequence[TrainingSample], count: int, rng: Random) -> list[TrainingSample]:
    return rng.sample(list(left), count)


def _error_probabilities(model: TrainedDetector, samples: Sequence[TrainingSample]) -> npt.NDArray[np.float64]:
    detector = Detector(model.card, model.model)
    agreements: list[float] = []
    for start in range(0, len(samples), _BATCH):
        chunk = samples[start : start + _BATCH]
        raw = detector.predict(np.stack([_canvas(sample) for sample in chunk]))
        for row, sample in enumerate(chunk):
            letterbox = fit_letterbox(width_px=sample.width_px, height_px=sample.height_px, into_hw=INPUT_HW)
            said = prediction_of(raw, row, letterbox=letterbox, label_set=DEFAULT_LABEL_SET)
            agreements.append(said.agreement.score)
    return error_probability_by_rule(agreements)


def _canvas(sample: TrainingSample) -> npt.NDArray[np.uint8]:
    image = open_labelled(sample).decode(at_least_hw=INPUT_HW)
    return letterbox_image(image.pixels, into_hw=INPUT_HW)[0]


def _point(selection: str, seed: int, corrected: int, trained: TrainedDetector) -> Point:
    said = trained.card.metrics
    return Point(selection, seed, corrected, said["accuracy"], said["balanced_accuracy"], said["log_loss"])


def _mean(points: Sequence[Point], selection: str, corrected: int, figure: str) -> float:
    mine = [point for point in points if (point.selection, point.corrected) == (selection, corrected)]
    return float(np.mean([getattr(point, figure) for point in mine]))


def _table(points: Sequence[Point]) -> str:
    figures = ("accuracy", "balanced_accuracy", "log_loss")
    lines = ["| corrected | " + " | ".join(f"{name.replace('_', ' ')}: ours / chance" for name in figures) + " |"]
    lines.append("|---:|" + "---:|" * len(figures))
    for count in sorted({point.corrected for point in points}):
        cells = [
            " / ".join(f"{_mean(points, name, count, figure):.3f}" for name in (OURS, CHANCE)) for figure in figures
        ]
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _plot(points: Sequence[Point], about: str, file: Path) -> None:
    """Draw the means of the seeds, each seed's points beside them."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    counts = sorted({point.corrected for point in points})
    for axis, name in zip(axes, ("accuracy", "log_loss"), strict=True):
        for selection, colour in ((OURS, "#0b6e8f"), (CHANCE, "#c2571a")):
            axis.plot(
                counts, [_mean(points, selection, count, name) for count in counts], color=colour, label=selection
            )
            mine = [point for point in points if point.selection == selection]
            axis.scatter([one.corrected for one in mine], [getattr(one, name) for one in mine], s=14, color=colour)
        axis.set_xlabel("corrected images")
        axis.set_ylabel(f"{name.replace('_', ' ')} on cameras never seen")
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    figure.suptitle(about, fontsize=8)
    figure.savefig(file, dpi=110)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fleet", type=Path, default=Path("build/table/fleet"), help="drawn where it is missing")
    parser.add_argument("--home", type=Path, default=Path("build/loop"), help="where features are cached")
    parser.add_argument("--images", type=int, default=950, help="images; of a larger fleet so many at random")
    parser.add_argument("--labelled", type=int, default=4, help="cameras that are labelled at first")
    parser.add_argument("--step", type=int, default=80, help="images corrected in a round")
    parser.add_argument("--rounds", type=int, default=4, help="retrainings of each curve")
    parser.add_argument("--seeds", type=int, default=3, help="curves to average")
    parser.add_argument("--out", type=Path, default=Path("docs/loop-curve.png"), help="the plot")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
