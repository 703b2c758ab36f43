"""Crops that look alike before one camera agree; a few crops, and crops that look like nothing else, keep their own."""

from __future__ import annotations

import numpy as np

from worker.vision.neighbours import MIN_CROPS, agree_with_neighbours


def _two_kinds(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two kinds of fish with features of their own; one crop in five is answered as the other kind."""
    rng = np.random.default_rng(2)
    kind = np.arange(count) % 2
    features = np.eye(2)[kind] + rng.normal(0, 0.02, (count, 2))
    logits = np.eye(2)[kind] * 2.0
    logits[::5] = logits[::5, ::-1]
    return logits, features


def test_alike_crops_outvote_the_odd_one() -> None:
    logits, features = _two_kinds(40)

    heard = agree_with_neighbours(logits, features)

    assert (logits.argmax(axis=1) != np.arange(40) % 2).any()
    assert (heard.argmax(axis=1) == np.arange(40) % 2).all()


def test_the_order_of_the_crops_does_not_matter() -> None:
    logits, features = _two_kinds(40)
    order = np.random.default_rng(0).permutation(40)

    heard = agree_with_neighbours(logits, features)

    assert np.allclose(agree_with_neighbours(logits[order], features[order]), heard[order])


def test_a_few_crops_keep_their_own() -> None:
    logits, features = _two_kinds(MIN_CROPS - 1)

    assert (agree_with_neighbours(logits, features) == logits).all()


def test_each_species_moved_alike_moves_the_answers_alike() -> None:
    """A constant on a crop's logits says nothing, before as after."""
    logits, features = _two_kinds(12)

    first, moved = agree_with_neighbours(logits, features), agree_with_neighbours(logits + 5.0, features)

    assert np.allclose(moved - first, 5.0)
