"""Trains what is to be evaluated, fold by fold, on cached features: baselines, heads, averages of heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from db.domain.species import NO_FISH, LabelSet
from db.progress import Progress, StageProgress, no_stage_progress
from worker.evaluation.answers import Answers, EvaluatedImages, FoundFish
from worker.evaluation.kept_answers import KeptAnswers
from worker.models.errors import TrainingError, UnknownNetwork
from worker.models.names import HeadName
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import Fold, Rows, held_out_cameras
from worker.training.data.targets import sample_letterbox
from worker.training.detector.fit import FitSettings, predict_head
from worker.training.detector.train_head import TrainedHead, average_species, species_of, train_head
from worker.training.features.cache import Features
from worker.training.probe import fit_probe
from worker.vision.heatmaps import cell_probabilities, pack_heatmap
from worker.vision.interpret import interpret
from worker.vision.letterbox import Letterbox

MAJORITY, PROBE = "majority", "linear_probe"
_IMAGES_AT_ONCE = 256  # 43 MB of heat maps and boxes: what is kept of them is a few numbers an image
_PROBE_SHARE = 0.25

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ComparedOptions:
    """What is to be evaluated. heads: each is trained; averages: of heads among them."""

    heads: tuple[HeadName, ...]
    averages: tuple[tuple[HeadName, ...], ...]


@dataclass(frozen=True)
class Bench:
    """What every compared model shares. fit_of: how a head is trained. heatmaps: keep them, packed.

    kept: answers of an evaluation that was stopped.
    """

    samples: Sequence[TrainingSample]
    features: Features
    label_set: LabelSet
    input_hw: tuple[int, int]
    fit_of: Callable[[HeadName], FitSettings]
    heatmaps: bool = False
    kept: KeptAnswers | None = None
    progress: StageProgress = no_stage_progress

    def species(self, rows: Rows) -> npt.NDArray[np.int64]:
        """The true species of images, (N,)."""
        return np.array([self.label_set.index(self.samples[row].label.species) for row in rows], dtype=np.int64)


def parse_options(words: Sequence[str]) -> ComparedOptions:
    """Return what is asked for: `box_species`, `box_species+inception` (their average), `all`.

    Raises:
        UnknownNetwork: no head has this name.
    """
    averages: list[tuple[HeadName, ...]] = []
    heads: list[HeadName] = []
    for word in words:
        parts = tuple(HeadName) if word == "all" else tuple(_head(part.strip(), word) for part in word.split("+"))
        heads += parts
        if "+" in word:
            averages.append(parts)
    return ComparedOptions(tuple(dict.fromkeys(heads)), tuple(dict.fromkeys(averages)))


def evaluate_folds(
    bench: Bench, folds: Sequence[Fold], options: ComparedOptions, *, called: str
) -> tuple[EvaluatedImages, list[Answers]]:
    """Return the images that these folds evaluate and each compared model's answers, baselines first.

    called: what progress calls these folds.
    Raises:
        TrainingError: a fold has nothing to learn from or to evaluate.
    """
    pooled = bench.features.pooled(
        [sample.sha256 for sample in bench.samples],
        progress=lambda done, total: bench.progress("pooled features", done, total),
    )
    by_fold = []
    for number, fold in enumerate(folds, start=1):
        where = f"{called} fold {number} of {len(folds)}"
        if not len(fold.learn_rows) or not len(fold.eval_rows):
            raise TrainingError(
                f"{where}: {len(fold.learn_rows)} images to learn from, {len(fold.eval_rows)} to evaluate"
            )
        by_fold.append(_one_fold(bench, fold, options, pooled, where))
    rows = np.concatenate([fold.eval_rows for fold in folds])
    numbers = np.concatenate([np.full(len(fold.eval_rows), number) for number, fold in enumerate(folds)])
    evaluated = EvaluatedImages([bench.samples[row] for row in rows], numbers, bench.label_set)
    return evaluated, [_joined(parts) for parts in zip(*by_fold, strict=True)]


def _one_fold(
    bench: Bench, fold: Fold, options: ComparedOptions, pooled: npt.NDArray[np.float32], where: str
) -> list[Answers]:
    said = {
        name: _trained_answers(bench, name, fold, partial(bench.progress, f"{where}: {name}")) for name in options.heads
    }
    averages = [_average([said[name] for name in names]) for names in options.averages]
    probed = linear_probe(bench.samples, pooled, bench.label_set, learn_rows=fold.learn_rows, eval_rows=fold.eval_rows)
    shares = majority(bench.species(fold.learn_rows), species=len(bench.label_set), count=len(fold.eval_rows))
    return [Answers(MAJORITY, shares), Answers(PROBE, probed), *said.values(), *averages]


def _trained_answers(bench: Bench, name: HeadName, fold: Fold, progress: Progress) -> Answers:
    if bench.kept is None:
        return _trained_now(bench, name, fold, progress)
    key = bench.kept.key(name, bench.fit_of(name), fold, bench.samples)
    answers = bench.kept.recall(key)
    if answers is None:
        answers = _trained_now(bench, name, fold, progress)
        bench.kept.keep(key, answers)
    return answers


def _trained_now(bench: Bench, name: HeadName, fold: Fold, progress: Progress) -> Answers:
    trained = train_head(
        name,
        bench.samples,
        bench.features,
        train_rows=fold.learn_rows,
        held_out_rows=fold.eval_rows[:0],
        label_set=bench.label_set,
        input_hw=bench.input_hw,
        fit=bench.fit_of(name),
        progress=progress,
    )
    return _joined(
        [head_answers(bench, trained, rows) for rows in _chunks(fold.eval_rows)], seconds=trained.fit.seconds
    )


def head_answers(bench: Bench, trained: TrainedHead, rows: Rows) -> Answers:
    """Return what a trained head says of images, its boxes in pixels of the originals."""
    outputs = predict_head(trained.head, trained.data, rows)
    answers = Answers(str(trained.name), np.asarray(species_of(outputs), dtype=np.float64))
    if "box" in outputs:
        boxes = [
            _letterbox(bench, row).to_original(box[None])[0] for row, box in zip(rows, outputs["box"], strict=True)
        ]
        answers = replace(answers, largest=np.array(boxes, dtype=np.float64))
        return replace(
            answers, found=[_one_fish(bench, *pair) for pair in zip(boxes, answers.probabilities, strict=True)]
        )
    if "heatmap" not in outputs:
        return answers
    found = [_heatmap_fish(bench, int(row), outputs, place) for place, row in enumerate(rows)]
    kept = [pack_heatmap(cell_probabilities(one)) for one in outputs["heatmap"]] if bench.heatmaps else []
    return replace(answers, found=found, heatmaps=kept)


def _one_fish(bench: Bench, box: npt.ArrayLike, said: Floats) -> list[FoundFish]:
    """The box head's one fish: as surely a fish as it does not say "no fish"."""
    no_fish = bench.label_set.index(NO_FISH)
    fish = np.where(np.arange(len(said)) == no_fish, -1.0, said)
    x_min, y_min, x_max, y_max = (float(side) for side in np.asarray(box))
    return [FoundFish((x_min, y_min, x_max, y_max), int(fish.argmax()), float(1.0 - said[no_fish]))]


def _heatmap_fish(
    bench: Bench, row: int, outputs: Mapping[str, npt.NDArray[np.float32]], place: int
) -> list[FoundFish]:
    no_box = np.eye(len(bench.label_set))[bench.label_set.index(NO_FISH)]
    prediction = interpret(
        box=np.zeros(4),
        box_probabilities=no_box,
        heatmap_logits=outputs["heatmap"][place],
        heatmap_probabilities=outputs["heatmap_species"][place],
        letterbox=_letterbox(bench, row),
        label_set=bench.label_set,
        ltrb_offsets=outputs["ltrb_offsets"][place] if "ltrb_offsets" in outputs else None,
    )
    return [
        FoundFish(one.box.xyxy, bench.label_set.index(one.species), one.confidence) for one in prediction.detections
    ]


def _average(parts: Sequence[Answers]) -> Answers:
    """The mean distribution; the largest fish by the first that boxes it, all fish by the first that boxes several."""
    boxing = [part for part in parts if part.found is not None]
    several = [part for part in boxing if part.largest is None] or boxing
    return Answers(
        "+".join(part.name for part in parts),
        average_species([part.probabilities for part in parts]),
        largest=next((part.largest for part in parts if part.largest is not None), None),
        found=several[0].found if several else None,
        seconds=sum(part.seconds for part in parts),
        heatmaps=next((part.heatmaps for part in parts if part.heatmaps), ()),
    )


def majority(learnt: npt.NDArray[np.int64], *, species: int, count: int) -> Floats:
    """Return the answers of one who always gives the species' shares, (count, species). learnt: (N,) their places."""
    counts = np.bincount(learnt, minlength=species)
    return np.tile(counts / counts.sum(), (count, 1))


def linear_probe(
    samples: Sequence[TrainingSample],
    pooled: npt.NDArray[np.float32],
    label_set: LabelSet,
    *,
    learn_rows: Rows,
    eval_rows: Rows,
) -> Floats:
    """Return what a softmax on the mean of each feature map says, (N, S); its L2 is chosen on cameras of its own.

    pooled: (all samples, C), as `Features.pooled` gives it.
    """
    learnt = [samples[row] for row in learn_rows]
    cameras, names = [sample.camera for sample in learnt], [sample.label.species for sample in learnt]
    folds = []
    if len(set(cameras)) > 1:
        folds = [np.isin(cameras, held_out_cameras(cameras, names, share=_PROBE_SHARE, seed=1))]
    species = np.array([label_set.index(name) for name in names], dtype=np.int64)
    weights = np.array([sample.weight for sample in learnt], dtype=np.float32)
    probe = fit_probe(pooled[learn_rows], species, weights, count=len(label_set), folds=folds)
    return probe.probabilities(pooled[eval_rows])


def _joined(parts: Sequence[Answers], *, seconds: float | None = None) -> Answers:
    first = parts[0]
    return Answers(
        first.name,
        np.concatenate([part.probabilities for part in parts]),
        largest=None if first.largest is None else np.concatenate([part.largest for part in parts]),
        found=None if first.found is None else [fish for part in parts for fish in part.found or ()],
        seconds=sum(part.seconds for part in parts) if seconds is None else seconds,
        heatmaps=[packed for part in parts for packed in part.heatmaps],
    )


def _letterbox(bench: Bench, row: int) -> Letterbox:
    return sample_letterbox(bench.samples[row], bench.input_hw)


def _chunks(rows: Rows) -> Iterator[Rows]:
    return (rows[start : start + _IMAGES_AT_ONCE] for start in range(0, len(rows), _IMAGES_AT_ONCE))


def _head(part: str, word: str) -> HeadName:
    try:
        return HeadName(part)
    except ValueError:
        raise UnknownNetwork(f"head {part!r} in {word!r}: wanted some of {', '.join(HeadName)}, or all") from None
