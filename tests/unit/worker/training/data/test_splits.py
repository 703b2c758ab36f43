"""Splits: no camera on both sides, the share held out, time order kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.models.errors import TrainingError
from worker.training.data.splits import SplitKind, camera_folds, held_out_cameras, make_folds, random_split

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


def test_folds_have_about_as_many_images_each() -> None:
    cameras = ["a"] * 40 + ["b"] * 20 + ["c"] * 20 + ["d"] * 10 + ["e"] * 10

    folds = camera_folds(cameras, k=2, seed=1)

    assert sorted(sum(cameras.count(camera) for camera in fold) for fold in folds) == [50, 50]


def test_a_random_split_holds_out_the_share_and_repeats_by_its_seed() -> None:
    first, again, other = (random_split(50, share=0.2, seed=seed) for seed in (1, 1, 2))

    assert first.sum() == 10
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


TIMES = st.none() | st.sampled_from([f"2024-0{month}-01" for month in range(1, 8)])


@st.composite
def fleets(draw) -> tuple[list[str], list[str | None], list[int]]:
    """Images' cameras, times, and which of them are near-duplicates: also of two cameras, as copied files are."""
    count = draw(st.integers(2, 60))
    cameras = draw(st.lists(st.sampled_from("abcdef"), min_size=count, max_size=count))
    times = draw(st.lists(TIMES, min_size=count, max_size=count))
    alike = draw(st.lists(st.integers(0, 20), min_size=count, max_size=count))
    return cameras, times, alike


@settings(deadline=None)
@given(fleet=fleets(), kind=st.sampled_from(SplitKind), k=st.integers(2, 4), seed=st.integers(0, 9))
def test_near_duplicates_stay_on_one_side_of_every_split(fleet, kind: SplitKind, k: int, seed: int) -> None:
    cameras, times, alike = fleet
    try:
        folds = make_folds(kind, cameras=cameras, captured_at=times, alike=alike, k=k, seed=seed)
    except TrainingError:
        return

    for fold in folds:
        learnt, evaluated = {alike[row] for row in fold.learn_rows}, {alike[row] for row in fold.eval_rows}
        assert learnt.isdisjoint(evaluated)
        assert len(fold.eval_rows)
    every = np.concatenate([fold.eval_rows for fold in folds])
    assert len(set(every.tolist())) == len(every)  # no image is evaluated twice


@settings(deadline=None)
@given(fleet=fleets(), k=st.integers(2, 4), seed=st.integers(0, 9))
def test_by_camera_no_fold_shares_a_camera_and_every_image_is_evaluated(fleet, k: int, seed: int) -> None:
    cameras, times, alike = fleet
    if len(set(cameras)) < k:
        return

    folds = make_folds(SplitKind.CAMERA, cameras=cameras, captured_at=times, alike=alike, k=k, seed=seed)

    for fold in folds:
        assert {cameras[row] for row in fold.learn_rows}.isdisjoint({cameras[row] for row in fold.eval_rows})
        assert len(fold.learn_rows) + len(fold.eval_rows) + fold.left_out == len(cameras)
    assert sorted(np.concatenate([fold.eval_rows for fold in folds]).tolist()) == list(range(len(cameras)))


@settings(deadline=None)
@given(fleet=fleets(), k=st.integers(2, 4))
def test_by_time_only_the_past_is_learnt_from(fleet, k: int) -> None:
    cameras, times, alike = fleet
    try:
        folds = make_folds(SplitKind.TIME, cameras=cameras, captured_at=times, alike=alike, k=k, seed=0)
    except TrainingError:
        assert len({time for time in times if time}) < 2
        return

    for fold in folds:
        first = min(times[row] for row in fold.eval_rows)
        assert all((times[row] or "") < first for row in fold.learn_rows)


@settings(deadline=None)
@given(alike=st.lists(st.integers(0, 8), min_size=2, max_size=40), share=st.floats(0.05, 0.9), seed=st.integers(0, 9))
def test_a_random_split_draws_near_duplicates_together_and_leaves_some(
    alike: list[int], share: float, seed: int
) -> None:
    held = random_split(len(alike), share=share, seed=seed, alike=alike)

    assert held.any() and not held.all()
    groups = np.array(alike)
    if len(set(alike)) > 1:
        assert set(groups[held].tolist()).isdisjoint(groups[~held].tolist())


def test_what_most_images_were_taken_at_is_the_past() -> None:
    times = ["2024-01-01"] * 8 + ["2024-02-01"]

    (fold,) = make_folds(SplitKind.TIME, cameras=["a"] * 9, captured_at=times, alike=list(range(9)), k=3, seed=0)

    assert (fold.learn_rows.tolist(), fold.eval_rows.tolist()) == (list(range(8)), [8])


def test_a_split_by_time_without_times_says_so() -> None:
    with pytest.raises(TrainingError, match="no image has a capture time"):
        make_folds(SplitKind.TIME, cameras=["a", "b"], captured_at=[None, None], alike=[0, 1], k=2, seed=0)


def test_images_that_are_all_alike_cannot_be_split_at_random() -> None:
    with pytest.raises(TrainingError, match="look so alike"):
        make_folds(SplitKind.RANDOM, cameras=["a", "b"], captured_at=[None, None], alike=[0, 0], k=2, seed=0)


def test_cameras_that_may_be_one_stay_on_one_side_of_every_split() -> None:
    cameras = ["a"] * 10 + ["a~2"] * 9 + ["b"] * 8 + ["c"] * 7 + ["c~2"] * 3

    for seed in range(5):
        groups = camera_folds(cameras, k=3, seed=seed)

        assert sorted(map(set, groups), key=min) == [{"a", "a~2"}, {"b"}, {"c", "c~2"}]


def test_cameras_that_may_all_be_one_cannot_be_split() -> None:
    with pytest.raises(TrainingError, match="2 cameras, 1 for certain,"):
        camera_folds(["a", "a~2"], k=2, seed=0)
