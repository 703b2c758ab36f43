"""Judges networks on the labels held: `python -m worker.evaluate`, started by `cli evaluate`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from db.migrate import open_database
from db.session import reading
from db.settings import Settings, get_settings
from worker.evaluation.answers import Judged
from worker.evaluation.contestants import Bench, judge_folds, parse_wish
from worker.evaluation.figures import contestant_figures
from worker.models.errors import TrainingError
from worker.models.names import DEFAULT_TRUNK, HeadName
from worker.snapshot import entries_said, training_samples
from worker.step_process import Request, StepProgress, serve_step
from worker.training.check_samples import CheckedSamples, check_samples
from worker.training.features import ComputedFeatures, FeatureSource
from worker.training.fit import FitSettings
from worker.training.near_duplicates import near_duplicates
from worker.training.recipes import recipe_for
from worker.training.samples import TrainingSample
from worker.training.splits import Fold, SplitKind, camera_folds, make_folds
from worker.training.thumbnails import thumbnails_of
from worker.training.train_detector import usable_samples

DEFAULT_HEADS = ("box_species+heatmap_hires",)
_CALIBRATION_PARTS = 3  # of a single fold, which has no other fold to be calibrated by


@dataclass(frozen=True)
class _Asked:
    """What `cli evaluate` asked for, checked."""

    source: FeatureSource
    split: SplitKind
    folds: int
    heads: tuple[str, ...]
    epochs: int | None
    seed: int

    def fit_of(self, head: HeadName) -> FitSettings:
        fit = replace(recipe_for(head), seed=self.seed)
        return replace(fit, epochs=self.epochs, min_steps=0) if self.epochs else fit


def evaluate(request: Request, progress: StepProgress) -> Request:
    """Return the figures of heads, averages and baselines over the folds of one split, and at random beside them.

    request: split, folds, heads, trunk, weights, input_hw, epochs, seed. Nothing is stored but features.
    Raises:
        TrainingError: the labels held do not suffice for the split; names what is missing.
    """
    settings = get_settings()
    asked = _asked(request, settings, progress)
    wish = parse_wish(asked.heads)
    with reading(open_database(settings.database)) as session:
        samples = training_samples(entries_said(session, settings))
    if not samples:
        raise TrainingError("no labelled pictures; register some with: cli labels import")
    checked = check_samples(samples, settings.label_set)
    _refuse_early(checked.samples, asked.split)
    computed = asked.source.compute(checked.samples)
    usable = usable_samples(checked.samples, computed.features, computed.unreadable)
    thumbnails = thumbnails_of(
        usable, settings.features_dir, progress=lambda done, total: progress("thumbnails", done, total)
    )
    alike = near_duplicates(thumbnails, [(sample.width_px, sample.height_px) for sample in usable])
    folds = _folds(usable, alike, asked.split, folds=asked.folds, seed=asked.seed)
    bench = Bench(usable, computed.features, settings.label_set, asked.source.input_hw, asked.fit_of, progress=progress)
    judged, answers = judge_folds(
        bench, folds, wish, called=f"by {asked.split}" if asked.split is not SplitKind.RANDOM else "at random"
    )
    parts = _parts(judged, folds, alike, usable, seed=asked.seed)
    figures = [contestant_figures(judged, one, parts) for one in answers]
    at_random = None
    if asked.split is not SplitKind.RANDOM:
        at_random = _random_figures(bench, alike, wish, asked)
    return {
        "split": str(asked.split),
        "pictures": len(usable),
        "judged": len(judged.samples),
        "cameras": len({sample.camera for sample in usable}),
        "species": dict(Counter(sample.label.species for sample in usable)),
        "species_names": list(settings.label_set.names),
        "trunk": asked.source.trunk,
        "input_hw": list(asked.source.input_hw),
        "seed": asked.seed,
        "folds": [_fold_facts(fold, usable) for fold in folds],
        "contestants": figures,
        "random": at_random,
        "near_duplicates": int(sum(count for count in np.bincount(alike) if count > 1)),
        **_oddities(checked, computed),
    }


def _asked(request: Request, settings: Settings, progress: StepProgress) -> _Asked:
    rows, columns = request.get("input_hw") or (360, 640)
    weights = str(request.get("weights") or "imagenet")
    source = FeatureSource(
        trunk=str(request.get("trunk") or DEFAULT_TRUNK),
        weights=weights if weights in ("imagenet", "random") else Path(weights),
        input_hw=(int(rows), int(columns)),
        features_dir=settings.features_dir,
        progress=progress,
    )
    return _Asked(
        source=source,
        split=SplitKind(request.get("split") or SplitKind.CAMERA),
        folds=int(request.get("folds") or 3),
        heads=tuple(request.get("heads") or DEFAULT_HEADS),
        epochs=int(request["epochs"]) if request.get("epochs") else None,
        seed=int(request.get("seed", 0)),
    )


def _refuse_early(samples: Sequence[TrainingSample], split: SplitKind) -> None:
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


def _folds(
    samples: Sequence[TrainingSample], alike: np.ndarray, split: SplitKind, *, folds: int, seed: int
) -> list[Fold]:
    cameras = [sample.camera for sample in samples]
    # With fewer cameras than folds each camera is a fold.
    k = min(folds, len(set(cameras))) if split is SplitKind.CAMERA else folds
    captured = [sample.captured_at for sample in samples]
    return make_folds(split, cameras=cameras, captured_at=captured, alike=alike.tolist(), k=k, seed=seed)


def _parts(
    judged: Judged, folds: Sequence[Fold], alike: np.ndarray, samples: Sequence[TrainingSample], *, seed: int
) -> np.ndarray:
    """Return which judged pictures are calibrated together: a fold's; of a single fold, parts of it.

    Those are cameras, or near-duplicates where there is one camera only, kept together.
    """
    if len(folds) > 1:
        return judged.folds
    rows = folds[0].judge_rows
    names = [samples[row].camera for row in rows]
    if len(set(names)) < 2:
        names = [str(alike[row]) for row in rows]
    return _spread(names, seed=seed)


def _spread(names: Sequence[str], *, seed: int) -> np.ndarray:
    k = min(_CALIBRATION_PARTS, len(set(names)))
    if k < 2:
        return np.zeros(len(names), dtype=np.int64)
    groups = camera_folds(names, k=k, seed=seed)
    of_name = {name: number for number, group in enumerate(groups) for name in group}
    return np.array([of_name[name] for name in names], dtype=np.int64)


def _random_figures(bench: Bench, alike: np.ndarray, wish: Any, asked: _Asked) -> dict[str, Any]:
    """Return each contestant's figures where cameras leak, by name: of one random fold, for it only shows how much."""
    fold = _folds(bench.samples, alike, SplitKind.RANDOM, folds=asked.folds, seed=asked.seed)[0]
    judged, answers = judge_folds(bench, [fold], wish, called="at random")
    parts = _spread([str(alike[row]) for row in fold.judge_rows], seed=asked.seed)
    return {one.name: contestant_figures(judged, one, parts)["mean"] for one in answers}


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


def _oddities(checked: CheckedSamples, computed: ComputedFeatures) -> dict[str, Any]:
    left_out = [[os.fsdecode(odd.file), odd.text] for odd in checked.oddities if odd.left_out]
    return {
        "unreadable": left_out + [[os.fsdecode(bad.file), bad.reason] for bad in computed.unreadable],
        "mended": [[os.fsdecode(odd.file), odd.text] for odd in checked.oddities if not odd.left_out],
    }


if __name__ == "__main__":
    serve_step(evaluate)
