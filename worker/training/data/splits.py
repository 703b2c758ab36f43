"""Splits labelled images into parts that are evaluated apart: by camera, by time, or at random to show the leak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from db.domain.cameras import count_sides, side_of
from worker.models.errors import TrainingError

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class SplitKind(StrEnum):
    """How images are split. Only `camera` tells what a model is worth on a boat that it has not seen."""

    CAMERA = "camera"
    TIME = "time"
    RANDOM = "random"


@dataclass(frozen=True)
class Fold:
    """One training and its evaluation: places among the images, ascending; no image is on both sides.

    left_out: on neither side, for these look like evaluated ones and would be learnt by heart.
    """

    learn_rows: Rows
    eval_rows: Rows
    left_out: int = 0


def make_folds(
    kind: SplitKind,
    *,
    cameras: Sequence[str],
    captured_at: Sequence[str | None],
    alike: Sequence[int],
    k: int,
    seed: int,
) -> list[Fold]:
    """Return the folds of a cross-validation; no image is evaluated twice.

    By camera every camera is evaluated once. At random every image is. By time each fold learns from what came before
    the images that it is evaluated by: the first of k + 1 equal parts is never evaluated.

    cameras, captured_at, alike: one an image; alike: a number that near-duplicates share, see `near_duplicates`. Near
    duplicates are never on both sides: at random they are drawn together, else the one that would be learnt is left
    out.
    Raises:
        TrainingError: fewer cameras than folds; no times; all images alike.
    """
    groups = np.asarray(alike)
    match kind:
        case SplitKind.CAMERA:
            names = np.array(cameras)
            evaluated = [np.isin(names, held) for held in camera_folds(cameras, k=k, seed=seed)]
            learnt = [~held for held in evaluated]
        case SplitKind.RANDOM:
            evaluated = [np.isin(groups, held) for held in _random_groups(groups, k=k, seed=seed)]
            learnt = [~held for held in evaluated]
        case SplitKind.TIME:
            evaluated, learnt = _time_masks(captured_at, k=k)
    return [_fold(learn, evaluate, groups) for learn, evaluate in zip(learnt, evaluated, strict=True)]


def _fold(learn: Mask, evaluate: Mask, groups: npt.NDArray[np.int64]) -> Fold:
    alike = learn & np.isin(groups, groups[evaluate])
    return Fold(np.flatnonzero(learn & ~alike), np.flatnonzero(evaluate), int(alike.sum()))


def _random_groups(groups: npt.NDArray[np.int64], *, k: int, seed: int) -> list[list[int]]:
    if len(set(groups.tolist())) < k:
        raise TrainingError(f"the images look so alike that they cannot be split into {k} parts")
    return [[int(name) for name in held] for held in camera_folds([str(one) for one in groups], k=k, seed=seed)]


def _time_masks(captured_at: Sequence[str | None], *, k: int) -> tuple[list[Mask], list[Mask]]:
    """Return who is evaluated and who learns in each fold; images without a time count as the past."""
    times = np.array([moment or "" for moment in captured_at])
    known = np.sort(times[times != ""])
    if not len(known):
        raise TrainingError("no image has a capture time; split by camera instead")
    later = known[known > known[0]]
    if not len(later):
        raise TrainingError(f"all {len(known)} capture times are {known[0]}; split by camera instead")
    # Of times that many images share a cut may be the first one, before which nothing lies.
    quantiles = [known[len(known) * number // (k + 1)] for number in range(1, k + 1)]
    cuts = sorted({max(str(cut), str(later[0])) for cut in quantiles})
    ends = [*cuts[1:], None]
    evaluated = [(times >= cut) & ((times < end) if end else True) for cut, end in zip(cuts, ends, strict=True)]
    return evaluated, [times < cut for cut in cuts]


def camera_folds(cameras: Sequence[str], *, k: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """Return k groups of cameras of about as many images each; no camera is in two groups.

    cameras: one name an image. Grouped by camera: neighbouring frames show the same fish. Cameras that may be one (see
    `side_of`) are in one group, and the groups fewer where too few are certain.
    Raises:
        TrainingError: fewer cameras than groups, or all of them may be one.

    >>> camera_folds(["a", "a", "a", "b", "c"], k=2, seed=0)
    (('a',), ('b', 'c'))
    >>> camera_folds(["a", "a~2", "b", "c"], k=2, seed=0)
    (('a', 'a~2'), ('b', 'c'))
    """
    counts, names = Counter(map(side_of, cameras)), set(cameras)
    if k < 2 or len(names) < k or len(counts) < 2:
        certain = "" if len(counts) == len(names) else f", {len(counts)} for certain,"
        raise TrainingError(
            f"{len(names)} cameras{certain} cannot be split into {k} groups; label images of more cameras"
        )
    sides, k = sorted(counts), min(k, len(counts))
    np.random.default_rng(seed).shuffle(sides)
    groups: list[set[str]] = [set() for _ in range(k)]
    images = [0] * k
    for side in sorted(sides, key=lambda side: -counts[side]):  # stable: ties stay in the seed's order
        smallest = min(range(k), key=images.__getitem__)
        groups[smallest].add(side)
        images[smallest] += counts[side]
    return tuple(sorted(tuple(sorted(name for name in names if side_of(name) in group)) for group in groups))


def held_out_cameras(cameras: Sequence[str], species: Sequence[str], *, share: float, seed: int) -> tuple[str, ...]:
    """Return the cameras to evaluate on: about this share of the images, and as many species as such a share can show.

    Of the groups of one camera split the one is taken whose species are most like all images' (smallest total
    variation): a held-out boat that only ever caught one species would evaluate nothing.
    """
    k = int(np.clip(round(1.0 / max(share, 0.01)), 2, max(count_sides(cameras), 2)))
    candidates = [group for turn in range(5) for group in camera_folds(cameras, k=k, seed=seed + turn)]
    everything = Counter(species)

    def distance(group: tuple[str, ...]) -> float:
        inside = Counter(name for name, camera in zip(species, cameras, strict=True) if camera in group)
        remaining = everything - inside
        lost = sum(1.0 for name in everything if not remaining[name])
        total, held = sum(everything.values()), max(sum(inside.values()), 1)
        return lost + sum(abs(everything[name] / total - inside[name] / held) for name in everything) / 2.0

    return min(candidates, key=distance)


def random_split(count: int, *, share: float, seed: int, alike: npt.ArrayLike | None = None) -> Mask:
    """Return which images are held out at random; (N,) bool. It lets cameras leak: only to show by how much.

    alike: (N,) a number that near-duplicates share; they are drawn together. Where all are alike each goes alone:
    something must be learnt from.
    """
    groups = np.arange(count) if alike is None or len(np.unique(alike)) < 2 else np.asarray(alike)
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    wanted = max(1, round(count * share))
    taken = np.searchsorted(np.cumsum(sizes[order]), wanted) + 1
    return np.isin(groups, names[order[: min(taken, max(len(names) - 1, 1))]])
