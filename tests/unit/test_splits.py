"""Splits: no camera on both sides, the share held out, time order kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.models.errors import TrainingError
from worker.training.splits import camera_folds, held_out_cameras, random_split, time_split

CAMERAS = st.lists(st.sampled_from([f"camera {number}" for number in range(9)]), min_size=2, max_size=80)


@settings(deadline=None)
@given(cameras=CAMERAS, k=st.integers(2, 5), seed=st.integers(0, 9))
def test_no_fold_shares_a_camera_and_every_camera_is_in_one(cameras: list[str], k: int, seed: int) -> None:
    if len(set(cameras)) < k:
        with pytest.raises(TrainingError, match="cameras cannot be split"):
            camera_folds(cameras, k=k, seed=seed)
        return

    folds = camera_folds(cameras, k=k, seed=seed)

    flat = [camera for fold in folds for camera in fold]
    assert len(folds) == k
    assert all(folds)
    assert sorted(flat) == sorted(set(cameras))


@settings(deadline=None)
@given(cameras=CAMERAS, share=st.floats(0.05, 0.6), seed=st.integers(0, 9), data=st.data())
def test_held_out_cameras_leave_cameras_to_learn_from(cameras: list[str], share: float, seed: int, data) -> None:
    species = data.draw(st.lists(st.sampled_from(["ALB", "NoF"]), min_size=len(cameras), max_size=len(cameras)))
    if len(set(cameras)) < 2:
        return

    held = held_out_cameras(cameras, species, share=share, seed=seed)

    assert set(held) < set(cameras)
    assert held
    assert held == held_out_cameras(cameras, species, share=share, seed=seed)


def test_the_only_camera_with_a_species_is_learned_from() -> None:
    cameras = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    species = ["ALB", "NoF"] * 5 + ["ALB", "NoF"] * 5 + ["LAG"] * 10

    assert held_out_cameras(cameras, species, share=0.33, seed=0) in (("a",), ("b",))


def test_folds_have_about_as_many_pictures_each() -> None:
    cameras = ["a"] * 40 + ["b"] * 20 + ["c"] * 20 + ["d"] * 10 + ["e"] * 10

    folds = camera_folds(cameras, k=2, seed=1)

    assert sorted(sum(cameras.count(camera) for camera in fold) for fold in folds) == [50, 50]


def test_a_random_split_holds_out_the_share_and_repeats_by_its_seed() -> None:
    first, again, other = (random_split(50, share=0.2, seed=seed) for seed in (1, 1, 2))

    assert first.sum() == 10
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_pictures_of_one_time_stay_on_one_side() -> None:
    held = time_split(["2024-01-01", "2024-02-01", "2024-02-01", "2024-02-01"], share=0.25)

    assert held.tolist() == [False, True, True, True]


def test_a_split_by_time_without_times_says_so() -> None:
    with pytest.raises(TrainingError, match="no picture has a capture time"):
        time_split([None, None], share=0.5)
