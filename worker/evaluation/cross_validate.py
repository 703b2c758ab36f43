"""Judges heads on the labels held: near-duplicates found, folds made, everything trained and asked, figures told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worker.evaluation.answers import Answers, Ints, Judged
from worker.evaluation.compared_models import Bench, Wish, judge_folds
from worker.evaluation.figures import contestant_figures
from worker.models.errors import TrainingError
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import Fold, SplitKind, camera_folds, make_folds

_CALIBRATION_PARTS = 3  # of a single fold, which has no other fold to be calibrated by


@dataclass(frozen=True)
class CrossValidation:
    """Judged pictures, what each contestant says of them, and their figures. at_random: by contestant, beside them."""

    judged: Judged
    answers: Sequence[Answers]
    figures: Sequence[dict[str, Any]]
    folds: Sequence[dict[str, Any]]
    at_random: dict[str, dict[str, float]] | None


def refuse_early(samples: Sequence[TrainingSample], split: SplitKind) -> None:
    """Refuse what can be seen to be too little before any picture is read.

    Raises:
        TrainingError: names what is missing.
    """
    cameras, species = {sample.camera for sample in samples}, {sample.label.species for sample in samples}
    if len(species) == 1:
        raise TrainingError(f"{len(samples)} pictures all show {species.pop()}; judging needs 2 species at least")
    if split is SplitKind.CAMERA and len(cameras) == 1:
        raise TrainingError(
            f"all {len(samples)} labelled pictures are of one camera ({cameras.pop()}), so none is unseen; label "
            "pictures of another one, correct the cameras (cli cameras --help), or judge with --split time or random"
        )
    if split is SplitKind.TIME and not any(sample.captured_at for sample in samples):
        raise TrainingError("no picture has a capture time; split by camera instead")


def cross_validate(
    bench: Bench, wish: Wish, split: SplitKind, *, alike: Ints, folds: int, seed: int
) -> CrossValidation:
    """Return what every contestant is worth over the folds of a split, and over one random fold beside it.

    alike: (N,) a number that near-duplicates share. folds: at most one a camera.
    Raises:
        TrainingError: the pictures cannot be split so.
    """
    made = _folds(bench.samples, alike, split, folds=folds, seed=seed)
    judged, answers = judge_folds(bench, made, wish, called=_called(split))
    parts = judged.folds if len(made) > 1 else _parts(bench.samples, alike, made[0].judge_rows, split, seed=seed)
    at_random = None if split is SplitKind.RANDOM else _at_random(bench, wish, alike, folds=folds, seed=seed)
    return CrossValidation(
        judged,
        answers,
        [contestant_figures(judged, one, parts) for one in answers],
        [_fold_facts(fold, bench.samples) for fold in made],
        at_random,
    )


def _folds(samples: Sequence[TrainingSample], alike: Ints, split: SplitKind, *, folds: int, seed: int) -> list[Fold]:
    cameras = [sample.camera for sample in samples]
    # With fewer cameras than folds each camera is a fold.
    k = min(folds, len(set(cameras))) if split is SplitKind.CAMERA else folds
    captured = [sample.captured_at for sample in samples]
    return make_folds(split, cameras=cameras, captured_at=captured, alike=alike.tolist(), k=k, seed=seed)


def _at_random(bench: Bench, wish: Wish, alike: Ints, *, folds: int, seed: int) -> dict[str, dict[str, float]]:
    """Return each contestant's figures where cameras leak, by name; of one fold, for it only shows how much."""
    fold = _folds(bench.samples, alike, SplitKind.RANDOM, folds=folds, seed=seed)[0]
    judged, answers = judge_folds(bench, [fold], wish, called=_called(SplitKind.RANDOM))
    parts = _parts(bench.samples, alike, fold.judge_rows, SplitKind.RANDOM, seed=seed)
    return {one.name: contestant_figures(judged, one, parts)["mean"] for one in answers}


def _parts(samples: Sequence[TrainingSample], alike: Ints, rows: Ints, split: SplitKind, *, seed: int) -> Ints:
    """Return which pictures of a single fold are calibrated together: whole cameras, at random near-duplicates."""
    names = [samples[row].camera for row in rows]
    if split is SplitKind.RANDOM or len(set(names)) < 2:
        names = [str(alike[row]) for row in rows]
    k = min(_CALIBRATION_PARTS, len(set(names)))
    if k < 2:
        return np.zeros(len(names), dtype=np.int64)
    of_name = {name: number for number, group in enumerate(camera_folds(names, k=k, seed=seed)) for name in group}
    return np.array([of_name[name] for name in names], dtype=np.int64)


def _fold_facts(fold: Fold, samples: Sequence[TrainingSample]) -> dict[str, Any]:
    learnt = {samples[row].label.species for row in fold.learn_rows}
    judged = {samples[row].label.species for row in fold.judge_rows}
    return {
        "learn": len(fold.learn_rows),
        "judge": len(fold.judge_rows),
        "left_out": fold.left_out,
        "cameras": sorted({samples[row].camera for row in fold.judge_rows}),
        "species_not_learnt": sorted(judged - learnt),
    }


def _called(split: SplitKind) -> str:
    return "at random" if split is SplitKind.RANDOM else f"by {split}"
