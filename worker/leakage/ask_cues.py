"""Asks everything known of labelled images but their fish for the species: the measuring part of the leak audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from db.domain.labels import ImageLabel
from db.domain.leakage import ShortcutCue, SplitGap
from db.domain.species import LabelSet
from worker.images.labelled import SkippedFile
from worker.leakage.hide_fish import VERSION, fill_holes, holes_of, holes_text, untouched_cells
from worker.leakage.shortcut_cues import (
    FOLDS,
    CueImages,
    Learner,
    folds_by,
    linear_learner,
    one_hot,
)
from worker.leakage.verdicts import decide_gap, evaluate_cue
from worker.models.errors import TrainingError
from worker.models.names import HeadName
from worker.training.data.near_duplicates import near_duplicates
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import class_weights, sample_letterbox
from worker.training.detector.train_head import train_head
from worker.training.features.cache import Features
from worker.training.features.compute import FeatureSource, ImageView
from worker.training.features.thumbnails import thumbnails_of

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_HEAD_EPOCHS = 15
_HEAD_FOLDS = 2


@dataclass(frozen=True)
class CueQuestions:
    """What the cues tell, the gap between the splits, and the images that could not be read.

    near_duplicates: images that look nearly like another one. boxless: images whose backgrounds could not be asked,
    because nobody boxed their fish.
    """

    cues: tuple[ShortcutCue, ...]
    gap: SplitGap
    unreadable: tuple[SkippedFile, ...]
    boxless: int
    near_duplicates: int


def ask_cues(
    samples: Sequence[TrainingSample], *, source: FeatureSource, label_set: LabelSet, seed: int = 0
) -> CueQuestions:
    """Return what size, camera and background tell of the species, and what knowing a camera is worth.

    samples: checked images, each content once.
    Raises:
        TrainingError: too few of them can be read.
    """
    whole = source.compute(samples)
    # A file may be gone since its features were cached.
    small = thumbnails_of([sample for sample in samples if sample.sha256 in whole.features], source.features_dir)
    usable = small.samples
    if len({sample.label.species for sample in usable}) < 2 or len({sample.camera for sample in usable}) < 2:
        raise TrainingError(
            f"{len(usable)} of {len(samples)} images can be read; of 2 species and 2 cameras at least they are needed"
        )
    species = np.array([label_set.index(sample.label.species) for sample in usable], dtype=np.int64)
    sizes, cameras = [_size(sample) for sample in usable], [sample.camera for sample in usable]
    alike = near_duplicates(small.pixels, sizes)
    if len(set(alike.tolist())) < FOLDS:
        raise TrainingError(f"the {len(usable)} images look so alike that none can be asked by what others taught")
    asked = CueImages(species, folds_by(alike.tolist(), seed=seed), alike, len(label_set), seed)
    cues = [
        _linear_cue("the image's size", asked, one_hot(sizes), tied_to=sizes),
        _linear_cue("the camera", asked, one_hot(cameras), tied_to=cameras),
    ]
    behind = pooled_backgrounds(usable, source)
    hidden = [row for row, sample in enumerate(usable) if sample.sha256 in behind]
    part, places = asked.part(hidden), [cameras[row] for row in hidden]
    if len(np.unique(part.folds)) == FOLDS:
        pooled = np.stack([behind[usable[row].sha256] for row in hidden])
        background = _linear_cue("the background", part, pooled, tied_to=places)
        head = _metadata_head([usable[row] for row in hidden], pooled, label_set, source.input_hw)
        answers = part.ask(head, at_most_folds=_HEAD_FOLDS)
        # The head takes long: that such images show a planted leak is known from the line before.
        cues += [background, evaluate_cue("background and size", answers, control=background.control)]
    gap = _gap(asked, whole.features.pooled([sample.sha256 for sample in usable]), cameras)
    alike_another = int(sum(times for times in np.bincount(alike) if times > 1))
    return CueQuestions(tuple(cues), gap, (*whole.unreadable, *small.skipped), len(usable) - len(hidden), alike_another)


def pooled_backgrounds(samples: Sequence[TrainingSample], source: FeatureSource) -> Mapping[str, Floats]:
    """Return the mean feature of what lies clear of the fish, (C,), by content, of images whose fish can be hidden.

    The trunk sees grey where the fish are; cells near a hole are left out, lest they tell its size.
    """
    holes = holes_of(samples, input_hw=source.input_hw)
    view = ImageView(
        f"fish hidden {VERSION}",
        lambda pixels, sample: fill_holes(pixels, holes[sample.sha256]),
        depends_on=lambda sample: holes_text(holes, sample.sha256),
    )
    behind = [sample for sample in samples if sample.sha256 in holes]
    if not behind:
        return {}
    features, found = source.compute(behind, view=view).features, {}
    grid_hw = (features.shape[0], features.shape[1])
    for sample in behind:
        frame = sample_letterbox(sample, source.input_hw).grid_frame(grid_hw)
        cells = untouched_cells(holes[sample.sha256], input_hw=source.input_hw, grid_hw=grid_hw, frame=frame)
        if sample.sha256 in features and cells.any():
            found[sample.sha256] = features.gather([sample.sha256])[0][cells].mean(axis=0)
    return found


def _linear_cue(name: str, asked: CueImages, inputs: npt.ArrayLike, *, tied_to: Sequence[object]) -> ShortcutCue:
    learn = linear_learner(inputs, asked.folds, count=asked.count)
    return evaluate_cue(name, asked.ask(learn), control=asked.find_planted(learn, tied_to))


def _metadata_head(
    samples: Sequence[TrainingSample], pooled: Floats, label_set: LabelSet, input_hw: tuple[int, int]
) -> Learner:
    """Return the metadata head, whose second input is the image's size, on one feature an image, (N, C)."""
    rows = {sample.sha256: (pooled[:, None, None, :], row) for row, sample in enumerate(samples)}
    features = Features((1, 1, pooled.shape[1]), rows)

    def learn(species: Ints, train_rows: Ints, asked_rows: Ints) -> npt.ArrayLike:
        told = [
            replace(sample, label=ImageLabel(label_set.names[place]))
            for sample, place in zip(samples, species, strict=True)
        ]
        trained = train_head(
            HeadName.DENSE_METADATA,
            told,
            features,
            train_rows=train_rows,
            held_out_rows=asked_rows,
            label_set=label_set,
            input_hw=input_hw,
            epochs=_HEAD_EPOCHS,
        )
        # Training counts rare species more; taken back, for here each image counts the same.
        weights = class_weights(species[train_rows], count=len(label_set))
        said = np.asarray(trained.species, dtype=np.float64) / np.where(weights > 0, weights, weights.max())
        shares: npt.NDArray[np.float64] = said / said.sum(axis=1, keepdims=True)
        return shares

    return learn


def _gap(asked: CueImages, pooled: Floats, cameras: Sequence[str]) -> SplitGap:
    known, unseen = (
        some.ask(linear_learner(pooled, some.folds, count=some.count)).said
        for some in (asked, replace(asked, folds=folds_by(cameras, seed=asked.seed)))
    )
    return decide_gap(asked.species, known, unseen, cameras)


def _size(sample: TrainingSample) -> tuple[int, int]:
    return sample.width_px, sample.height_px
