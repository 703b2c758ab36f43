"""Evaluates heads on the labels held: near-duplicates found, folds made, everything trained and asked, figures told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from db.domain.cameras import count_sides
from db.domain.evaluations import ComparedFigures, Figures, FoldFacts
from worker.evaluation.answers import Answers, EvaluatedImages, Ints
from worker.evaluation.compared_models import Bench, ComparedOptions, evaluate_folds
from worker.evaluation.figures import compared_figures
from worker.models.errors import TrainingError
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import Fold, SplitKind, camera_folds, make_folds

_CALIBRATION_PARTS = 3  # of a single fold, which has no other fold to be calibrated by


@dataclass(frozen=True)
class CrossValidation:
    """EvaluatedImages images, what each compared model says of them, and their figures. at_random: by compared
    model, beside them.
    """

    evaluated: EvaluatedImages
    answers: Sequence[Answers]
    figures: Sequence[ComparedFigures]
    folds: Sequence[FoldFacts]
    at_random: dict[str, Figures] | None


def refuse_early(samples: Sequence[TrainingSample], split: SplitKind) -> None:
    """Refuse what can be seen to be too little before any image is read.

    Raises:
        TrainingError: names what is missing.
    """
    cameras, species = {sample.camera for sample in samples}, {sample.label.species for sample in samples}
    if len(species) == 1:
        raise TrainingError(f"{len(samples)} images all show {species.pop()}; evaluation needs 2 species at least")
    if split is SplitKind.CAMERA and count_sides(cameras) == 1:
        raise TrainingError(
            f"all {len(samples)} labelled images are of one camera ({min(cameras)}), so none is unseen; label "
            "images of another one, correct the cameras (cli cameras --help), or evaluate with --split time or random"
        )
    if split is SplitKind.TIME and not any(sample.captured_at for sample in samples):
        raise TrainingError("no image has a capture time; split by camera instead")


def cross_validate(
    bench: Bench, options: ComparedOptions, split: SplitKind, *, alike: Ints, folds: int, seed: int
) -> CrossValidation:
    """Return what every compared model is worth over the folds of a split, and over one random fold beside it.

    alike: (N,) a number that near-duplicates share. folds: at most one a camera.
    Raises:
        TrainingError: the images cannot be split so.
    """
    made = folds_of(bench.samples, alike, split, folds=folds, seed=seed)
    evaluated, answers = evaluate_folds(bench, made, options, called=_called(split))
    parts = evaluated.folds if len(made) > 1 else _parts(bench.samples, alike, made[0].eval_rows, split, seed=seed)
    at_random = None if split is SplitKind.RANDOM else _at_random(bench, options, alike, folds=folds, seed=seed)
    return CrossValidation(
        evaluated,
        answers,
        [compared_figures(evaluated, one, parts) for one in answers],
        [fold_facts(fold, bench.samples) for fold in made],
        at_random,
    )


def folds_of(samples: Sequence[TrainingSample], alike: Ints, split: SplitKind, *, folds: int, seed: int) -> list[Fold]:
    """Return the folds of a split; by camera at most one a camera. alike: (N,) a number that near-duplicates share."""
    cameras = [sample.camera for sample in samples]
    # With fewer cameras than folds each camera is a fold.
    k = min(folds, count_sides(cameras)) if split is SplitKind.CAMERA else folds
    captured = [sample.captured_at for sample in samples]
    return make_folds(split, cameras=cameras, captured_at=captured, alike=alike.tolist(), k=k, seed=seed)


def _at_random(bench: Bench, options: ComparedOptions, alike: Ints, *, folds: int, seed: int) -> dict[str, Figures]:
    """Return each compared model's figures where cameras leak, by name; of one fold, for it only shows how much."""
    fold = folds_of(bench.samples, alike, SplitKind.RANDOM, folds=folds, seed=seed)[0]
    evaluated, answers = evaluate_folds(bench, [fold], options, called=_called(SplitKind.RANDOM))
    parts = _parts(bench.samples, alike, fold.eval_rows, SplitKind.RANDOM, seed=seed)
    return {one.name: compared_figures(evaluated, one, parts).mean for one in answers}


def _parts(samples: Sequence[TrainingSample], alike: Ints, rows: Ints, split: SplitKind, *, seed: int) -> Ints:
    """Return which images of a single fold are calibrated together: whole cameras, at random near-duplicates."""
    names = [samples[row].camera for row in rows]
    if split is SplitKind.RANDOM or count_sides(names) < 2:
        names = [str(alike[row]) for row in rows]
    k = min(_CALIBRATION_PARTS, count_sides(names))
    if k < 2:
        return np.zeros(len(names), dtype=np.int64)
    of_name = {name: number for number, group in enumerate(camera_folds(names, k=k, seed=seed)) for name in group}
    return np.array([of_name[name] for name in names], dtype=np.int64)


def fold_facts(fold: Fold, samples: Sequence[TrainingSample]) -> FoldFacts:
    """Return what is told of a fold."""
    learnt = {samples[row].label.species for row in fold.learn_rows}
    evaluated = {samples[row].label.species for row in fold.eval_rows}
    return FoldFacts(
        learn=len(fold.learn_rows),
        evaluate=len(fold.eval_rows),
        left_out=fold.left_out,
        cameras=tuple(sorted({samples[row].camera for row in fold.eval_rows})),
        species_not_learnt=tuple(sorted(evaluated - learnt)),
    )


def _called(split: SplitKind) -> str:
    return "at random" if split is SplitKind.RANDOM else f"by {split}"
