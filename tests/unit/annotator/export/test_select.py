"""Choosing what a person looks at."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.export.select import choose, choose_varied, spread


def test_a_tenth_is_drawn_from_the_images_that_look_sure():
    found = choose(range(1000), range(1000, 3000), count=100, rng=Random(4))

    assert sorted(one.key for one in found if not one.at_random) == list(range(90))
    drawn = [one.key for one in found if one.at_random]
    assert len(drawn) == 10 and all(key >= 1000 for key in drawn)


def test_the_drawn_ones_are_spread_and_the_doubtful_ones_keep_their_order():
    found = choose(range(1000), range(1000, 3000), count=100, rng=Random(4))

    doubtful = [one.key for one in found if not one.at_random]
    assert doubtful == sorted(doubtful)
    assert {one.at_random for one in found[:50]} == {one.at_random for one in found[50:]} == {True, False}


@pytest.mark.parametrize(
    ("flagged", "agreed", "expected"),
    [
        pytest.param(3, 100, (3, 7), id="few flagged: more drawn by chance"),
        pytest.param(100, 0, (10, 0), id="nothing sure: all flagged"),
        pytest.param(2, 1, (2, 1), id="few in all"),
        pytest.param(0, 0, (0, 0), id="none"),
    ],
)
def test_where_one_kind_runs_out_the_other_fills_up(flagged, agreed, expected):
    found = choose(range(flagged), range(1000, 1000 + agreed), count=10, rng=Random(0))

    assert (sum(not one.at_random for one in found), sum(one.at_random for one in found)) == expected


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 40), st.floats(0, 1), st.integers())
@settings(deadline=None, max_examples=60)
def test_nothing_is_chosen_twice_and_as_many_as_there_are(flagged, agreed, count, share, seed):
    doubtful, sure = range(flagged), range(100, 100 + agreed)

    found = choose(doubtful, sure, count=count, random_share=share, rng=Random(seed))

    assert len({one.key for one in found}) == len(found) == min(count, flagged + agreed)


@pytest.mark.parametrize(("count", "share"), [(-1, 0.1), (5, 1.5)])
def test_impossible_wishes_are_refused(count, share):
    with pytest.raises(ValueError, match="wanted"):
        choose([1], [2], count=count, random_share=share, rng=Random(0))


def test_the_first_images_come_from_every_camera():
    cameras = ["large"] * 90 + ["small"] * 10
    features = np.random.default_rng(0).normal(size=(100, 8))

    found = choose_varied(features, cameras, count=20, rng=Random(0))

    assert sum(place >= 90 for place in found) == 10
    assert len(set(found)) == 20


def test_near_doubles_are_chosen_last():
    # Three directions; rows 1 and 2 are the first again.
    features = np.array([[1, 0, 0], [2, 0, 0], [3, 0.01, 0], [0, 1, 0], [0, 0, 1]])

    for seed in range(5):
        found = choose_varied(features, ["cam"] * 5, count=3, rng=Random(seed))
        assert len({0, 1, 2} & set(found)) == 1


def test_more_than_there_are_gives_all():
    assert sorted(choose_varied(np.zeros((3, 2)), ["a", "b", "a"], count=9, rng=Random(0))) == [0, 1, 2]


def test_a_draw_takes_as_many_of_every_camera_as_there_are():
    cameras = ["a"] * 50 + ["b"] * 3 + ["c"] * 20

    drawn = Counter(cameras[place] for place in spread(cameras, count=21, rng=Random(0)))

    assert drawn == {"a": 9, "b": 3, "c": 9}
    assert sorted(spread(cameras, count=100, rng=Random(0))) == list(range(73))
