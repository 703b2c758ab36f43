"""Trains the networks that name a crop, and has each training camera answered by one that has not seen it.

All of them learn from all training cameras: more cameras are worth more than anything else. Where the held-out ones are
few, others learn without a part of the training cameras and answer that, so that choices and temperatures have more to
go by.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.cameras import count_sides
from db.domain.train_recipe import CropRecord
from db.progress import StageProgress, of_stage
from worker.training.crops.features import frozen_trunk, turn_features, view_features
from worker.training.crops.finetune import Checkpoint, Tuned, Turn, epochs_of, finetune, mean_model, turn_outputs
from worker.training.crops.outputs import CropOutputs, UnseenCrops, joined
from worker.training.crops.settings import CropRows, CropTrainSettings
from worker.training.data.splits import camera_folds
from worker.training.probe import Probe, fit_probe

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

MIN_CROPS = 16
_MAX_ROWS = 60_000  # rows of features that are held in memory at once: 300 MB of the default trunk
_MIN_CAMERAS = 3  # of fewer a network that misses one has seen too little to serve
_MIN_CROPS_TO_CHOOSE_BY = 150
_CROSS_FITS = 2  # of the three parts are answered: a third training would tell little more
# Fewer crops take most of a training's time for what little they tell: one tuned network serves instead of the mean of
# several, and those that only choose and calibrate are tuned half as long.
_FEW_CROPS = 600
_VIEWS_BESIDE = 6  # of a crop, where the frozen probe is the start of a fine-tuning and may be heard beside it
_POOLED_CROPS = 1500  # tell the directions in which features differ


@dataclass(frozen=True, eq=False)
class CropNetwork:
    """A classifier (crops to logits) and what was learnt with it.

    pooled: (M, C), its features of some training crops. unseen: training cameras, each answered by a network that has
    not learnt from it; empty where the held-out cameras suffice, or the training ones do not. held_out: what the
    classifier says of the held-out cameras. probe: on the frozen trunk, to be heard beside; None where the classifier
    is that probe. told: for the card. checkpoints: what a resumption would need.
    """

    classifier: Any
    pooled: Floats
    unseen: UnseenCrops
    held_out: UnseenCrops
    probe: Probe | None
    told: CropRecord
    checkpoints: tuple[Checkpoint, ...] = ()

    def forget(self) -> None:
        """Take away what a resumption would have needed."""
        for checkpoint in self.checkpoints:
            checkpoint.forget()


@dataclass(frozen=True, eq=False)
class Frozen:
    """Features of a trunk as it came: views (N, V, C) to learn from, turns (N, T, C) as served."""

    views: Floats
    turns: Floats
    held_out_turns: Floats


def train_frozen(
    learn: CropRows, held_out: CropRows, settings: CropTrainSettings, *, features_dir: Path, progress: StageProgress
) -> CropNetwork:
    """Return a softmax on the trunk's features as they came."""
    from worker.models.crop_classifier import build_crop_classifier, set_logits

    frozen = _frozen_features(learn, held_out, settings, views=settings.views, cache=features_dir, progress=progress)
    probe = _probe_of(learn, frozen, settings)
    groups = camera_groups(learn, settings)
    apart = [_fit(learn, frozen, settings, rows=~group, strength=probe.strength) for group in groups]
    progress("second stage", 1, 1)
    model = build_crop_classifier(
        frozen_trunk(settings.trunk, crop_px=settings.crop_px, weights=settings.weights),
        species=len(settings.label_set),
    )
    set_logits(model, probe.weights, probe.bias)
    unseen = [
        _unseen(learn, group, CropOutputs(one.logits(frozen.turns[group]), frozen.turns[group].mean(axis=1)))
        for group, one in zip(groups, apart, strict=True)
    ]
    said = CropOutputs(probe.logits(frozen.held_out_turns), frozen.held_out_turns.mean(axis=1))
    return CropNetwork(
        model,
        frozen.turns[:_POOLED_CROPS].mean(axis=1),
        joined(unseen) if unseen else _nothing(learn, settings),
        _unseen(held_out, np.ones(len(held_out), dtype=np.bool_), said),
        None,
        CropRecord(views=frozen.views.shape[1], strength=probe.strength),
    )


def train_tuned(
    learn: CropRows,
    held_out: CropRows,
    settings: CropTrainSettings,
    *,
    features_dir: Path,
    work_dir: Path,
    progress: StageProgress,
) -> CropNetwork:
    """Return the mean of trunks tuned from the frozen softmax in different orders; of few crops one such trunk.

    Raises:
        TrainingError: the place in the training cannot be kept in work_dir.
    """
    frozen = _frozen_features(learn, held_out, settings, views=_VIEWS_BESIDE, cache=features_dir, progress=progress)
    probe = _probe_of(learn, frozen, settings)
    groups = [] if enough_to_choose_by(held_out) else camera_groups(learn, settings)[:_CROSS_FITS]
    few = len(learn) < _FEW_CROPS
    serving = 1 if few else settings.members
    turns = (Turn(number + 1, len(groups) + serving) for number in count())

    def tune(rows: CropRows, start: Probe, seed: int, *, share: float = 1.0) -> Tuned:
        own = dataclasses.replace(settings, seed=seed, min_steps=round(settings.min_steps * share))
        return finetune(rows, start=start, settings=own, work_dir=work_dir, progress=progress, turn=next(turns))

    unseen, apart = [], []
    for group in groups:
        start = _fit(learn, frozen, settings, rows=~group, strength=probe.strength)
        apart.append(tune(learn.only(~group), start, settings.seed, share=0.5 if few else 1.0))
        said = turn_outputs(apart[-1].model, learn.only(group), turns=settings.turns)
        unseen.append(_unseen(learn, group, said, frozen=start.logits(frozen.turns[group])))
    members = [tune(learn, probe, settings.seed + number) for number in range(serving)]
    model = mean_model([member.model for member in members], settings)
    said = turn_outputs(model, held_out, turns=settings.turns)
    everything = np.ones(len(held_out), dtype=np.bool_)
    return CropNetwork(
        model,
        turn_outputs(model, learn.only(_some(len(learn), settings)), turns=1).pooled,
        joined(unseen) if unseen else _nothing(learn, settings),
        _unseen(held_out, everything, said, frozen=probe.logits(frozen.held_out_turns)),
        probe,
        CropRecord(
            epochs=members[0].epochs,
            members=len(members),
            cross_fits=len(apart),
            resumed_at_epoch=max(member.resumed_at for member in (*apart, *members)),
            strength=probe.strength,
        ),
        tuple(member.checkpoint for member in (*apart, *members)),
    )


def fine_tuned_steps(crops: int, settings: CropTrainSettings) -> int:
    """Return how many batches all networks of a fine-tuning on so many training crops take, at the most."""
    each = max(1, crops // min(settings.batch_size, max(crops, 1)))
    if crops >= _FEW_CROPS:
        return settings.members * each * epochs_of(crops, settings)
    half = dataclasses.replace(settings, min_steps=settings.min_steps // 2)
    return each * (epochs_of(crops, settings) + _CROSS_FITS * epochs_of(crops, half))


def enough_to_choose_by(held_out: CropRows) -> bool:
    """Return whether the held-out crops alone can tell what helps on cameras that were not seen."""
    cameras = {sample.camera for sample in held_out.samples}
    return len(cameras) >= _MIN_CAMERAS and len(held_out) >= _MIN_CROPS_TO_CHOOSE_BY


def camera_groups(learn: CropRows, settings: CropTrainSettings) -> list[Mask]:
    """Return which crops are answered instead of learnt from, in turn; none of too few cameras or species."""
    cameras = [sample.camera for sample in learn.samples]
    if count_sides(cameras) < _MIN_CAMERAS:
        return []
    groups = [np.isin(cameras, group) for group in camera_folds(cameras, k=_MIN_CAMERAS, seed=settings.seed)]
    enough = all((~group).sum() >= MIN_CROPS and len(set(learn.species[~group])) > 1 for group in groups)
    return groups if enough else []


def _frozen_features(
    learn: CropRows,
    held_out: CropRows,
    settings: CropTrainSettings,
    *,
    views: int,
    cache: Path,
    progress: StageProgress,
) -> Frozen:
    view, turn = (
        partial(compute, trunk=settings.trunk, weights=settings.weights, cache_dir=cache)
        for compute in (view_features, turn_features)
    )
    turns = settings.turns
    wanted = int(np.clip(_MAX_ROWS // len(learn), 1, min(views, settings.views)))
    seen = view(learn.samples, learn.canvases, views=wanted, progress=of_stage(progress, "crop features"))
    as_served = [
        turn(rows.samples, rows.canvases, turns=turns, progress=of_stage(progress, name))
        if len(rows)
        else np.zeros((0, turns, seen.shape[-1]), dtype=np.float32)
        for rows, name in ((learn, "turned crop features"), (held_out, "held-out crop features"))
    ]
    return Frozen(seen, *as_served)


def _probe_of(learn: CropRows, frozen: Frozen, settings: CropTrainSettings) -> Probe:
    """Return the softmax of all training crops, as strongly held as other cameras want it."""
    everything = np.ones(len(learn), dtype=np.bool_)
    cameras = [sample.camera for sample in learn.samples]
    folds: list[Mask] = []
    if count_sides(cameras) > 1:
        k = min(_MIN_CAMERAS, count_sides(cameras))
        masks = [np.isin(cameras, group) for group in camera_folds(cameras, k=k, seed=settings.seed)]
        folds = [mask for mask in masks if len(set(learn.species[~mask])) > 1]
    return _fit(learn, frozen, settings, rows=everything, folds=folds)


def _fit(
    learn: CropRows,
    frozen: Frozen,
    settings: CropTrainSettings,
    *,
    rows: Mask,
    folds: list[Mask] | None = None,
    strength: float | None = None,
) -> Probe:
    views = frozen.views.shape[1]
    return fit_probe(
        frozen.views[rows].reshape(-1, frozen.views.shape[-1]),
        np.repeat(learn.species[rows], views),
        np.repeat(learn.weights[rows], views),
        count=len(settings.label_set),
        folds=[np.repeat(fold, views) for fold in folds or []],
        strength=strength,
    )


def _unseen(rows: CropRows, which: Mask, said: CropOutputs, *, frozen: Floats | None = None) -> UnseenCrops:
    cameras = np.array([sample.camera for sample in rows.samples], dtype=np.str_)
    return UnseenCrops(rows.species[which], cameras[which], said, frozen)


def _nothing(learn: CropRows, settings: CropTrainSettings) -> UnseenCrops:
    none = np.zeros(len(learn), dtype=np.bool_)
    logits = np.zeros((0, settings.turns, len(settings.label_set)), dtype=np.float32)
    return _unseen(learn, none, CropOutputs(logits, np.zeros((0, 1), dtype=np.float32)))


def _some(count: int, settings: CropTrainSettings) -> Mask:
    chosen = np.random.default_rng(settings.seed).permutation(count)[:_POOLED_CROPS]
    return np.isin(np.arange(count), chosen)
