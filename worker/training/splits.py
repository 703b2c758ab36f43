"""Splits labelled pictures into parts that are judged apart: by camera, by time, or at random to show the leak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from worker.models.errors import TrainingError


def camera_folds(cameras: Sequence[str], *, k: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """Return k groups of cameras of about as many pictures each; no camera is in two groups.

    cameras: one name a picture. Grouped by camera: neighbouring frames show the same fish.
    Raises:
        TrainingError: fewer cameras than groups.

    >>> camera_folds(["a", "a", "a", "b", "c"], k=2, seed=0)
    (('a',), ('b', 'c'))
    """
    counts = Counter(cameras)
    if k < 2 or len(counts) < k:
        raise TrainingError(f"{len(counts)} cameras cannot be split into {k} groups; label pictures of more cameras")
    names = sorted(counts)
    np.random.default_rng(seed).shuffle(names)
    groups: list[list[str]] = [[] for _ in range(k)]
    for name in sorted(names, key=lambda name: -counts[name]):  # stable: ties stay in the seed's order
        min(groups, key=lambda group: sum(counts[held] for held in group)).append(name)
    return tuple(sorted(tuple(sorted(group)) for group in groups))


def held_out_cameras(cameras: Sequence[str], species: Sequence[str], *, share: float, seed: int) -> tuple[str, ...]:
    """Return the cameras to judge on: about this share of the pictures, and as many species as such a share can show.

    Of the groups of one camera split the one is taken whose species are most like all pictures' (smallest total
    variation): a held-out boat that only ever caught one species would judge nothing.
    """
    names = sorted(set(cameras))
    k = int(np.clip(round(1.0 / max(share, 0.01)), 2, len(names)))
    candidates = [group for turn in range(5) for group in camera_folds(cameras, k=k, seed=seed + turn)]
    everything = Counter(species)

    def distance(group: tuple[str, ...]) -> float:
        inside = Counter(name for name, camera in zip(species, cameras, strict=True) if camera in group)
        remaining = everything - inside
        lost = sum(1.0 for name in everything if not remaining[name])
        total, held = sum(everything.values()), max(sum(inside.values()), 1)
        return lost + sum(abs(everything[name] / total - inside[name] / held) for name in everything) / 2.0

    return min(candidates, key=distance)


def random_split(count: int, *, share: float, seed: int) -> np.ndarray:
    """Return which pictures are held out at random; (N,) bool. It lets cameras leak: only to show by how much."""
    held = np.zeros(count, dtype=bool)
    chosen = np.random.default_rng(seed).permutation(count)[: max(1, round(count * share))]
    held[chosen] = True
    return held


def time_split(captured_at: Sequence[str | None], *, share: float) -> np.ndarray:
    """Return which pictures are the latest; (N,) bool. Train on the past, judge on what came after.

    captured_at: ISO times; pictures without one count as the past. Pictures of one time stay on one side.

    >>> time_split(["2024-01-01", "2024-03-01", None, "2024-02-01"], share=0.25).tolist()
    [False, True, False, False]
    """
    times = np.array([moment or "" for moment in captured_at])
    known = np.sort(times[times != ""])
    if not len(known):
        raise TrainingError("no picture has a capture time; split by camera instead")
    threshold = known[max(0, len(known) - max(1, round(len(times) * share)))]
    return np.asarray((times >= threshold) & (times != ""))
