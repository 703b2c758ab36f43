"""Which images a person should look at: the doubtful ones, and by chance some that look sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from annotator.plans.draw import draw_systematic

# Two heads on one trunk can be wrong together: only images drawn by chance show how often.
RANDOM_SHARE = 0.1

Key = TypeVar("Key")


@dataclass(frozen=True)
class Chosen(Generic[Key]):
    """One image to look at; at_random: drawn by chance from the unflagged ones, with this probability."""

    key: Key
    at_random: bool
    probability: float = 1.0


def choose(
    flagged: Sequence[Key], agreed: Sequence[Key], *, count: int, random_share: float = RANDOM_SHARE, rng: Random
) -> list[Chosen[Key]]:
    """Return up to `count` images: the first flagged ones, mixed with agreed ones drawn by chance.

    flagged: the most doubtful first. agreed: all the unflagged ones, each drawn with the same probability. Where one
    kind runs out the other fills up. The drawn ones are spread by chance, so that a person who stops early has seen
    both and cannot tell them apart.

    Raises:
        ValueError: count is negative or the share is outside 0..1.

    >>> [(one.key, one.probability) for one in choose(["a"], ["y", "z"], count=2, random_share=0.5, rng=Random(1))]
    [('a', 1.0), ('y', 0.5)]
    """
    if count < 0 or not 0.0 <= random_share <= 1.0:
        raise ValueError(f"count {count} and random share {random_share}: wanted 0 or more, and 0 to 1")
    by_chance = min(round(count * random_share), len(agreed))
    by_error_probability = min(count - by_chance, len(flagged))
    by_chance = min(count - by_error_probability, len(agreed))
    drawn = _drawn(agreed, by_chance, rng=rng)
    doubtful = [Chosen(key, False) for key in flagged[:by_error_probability]]
    return _interleave(doubtful, drawn, rng=rng)


def choose_varied(features: npt.NDArray[np.floating], cameras: Sequence[str], *, count: int, rng: Random) -> list[int]:
    """Return the places of up to `count` images that differ most, spread evenly over the cameras.

    features: (N, D), one row an image, any scale; cameras: N names. Each camera in turn gives the image that is
    farthest from everything chosen so far; the first comes by chance.

    Source: Sener and Savarese 2018, section 4.1 (greedy k-center).

    >>> choose_varied(np.array([[1.0, 0], [1, 0.1], [0, 1]]), ["a", "a", "b"], count=2, rng=Random(0))
    [1, 2]
    """
    if len(features) != len(cameras):
        raise ValueError(f"{len(features)} rows of features for {len(cameras)} images")
    rows = _unit_rows(np.asarray(features, dtype=np.float32))  # (N, D)
    left = {camera: [place for place, name in enumerate(cameras) if name == camera] for camera in sorted(set(cameras))}
    order = list(left)
    rng.shuffle(order)
    nearest = np.full(len(rows), np.inf, dtype=np.float32)  # (N,)
    chosen: list[int] = []
    while len(chosen) < count and order:
        for camera in order[: count - len(chosen)]:
            place = _farthest(left[camera], nearest, rng=rng, first=not chosen)
            left[camera].remove(place)
            chosen.append(place)
            nearest = np.minimum(nearest, 1.0 - rows @ rows[place])
        order = [camera for camera in order if left[camera]]
    return chosen


def spread(cameras: Sequence[str], *, count: int, rng: Random) -> list[int]:
    """Return the places of up to `count` images drawn by chance, from every camera as evenly as can be.

    >>> sorted(spread(["a", "a", "a", "b"], count=2, rng=Random(0)))[-1]
    3
    """
    turns: Counter[str] = Counter()
    ranked: list[tuple[int, int]] = []
    for place in rng.sample(range(len(cameras)), len(cameras)):
        ranked.append((turns[cameras[place]], place))
        turns[cameras[place]] += 1
    return [place for _, place in sorted(ranked, key=lambda one: one[0])[:count]]


def _drawn(agreed: Sequence[Key], size: int, *, rng: Random) -> list[Chosen[Key]]:
    if not size:
        return []
    probability = size / len(agreed)
    one_stratum = np.zeros(len(agreed), dtype=np.int64)
    chance = np.random.default_rng(rng.getrandbits(64))
    places = draw_systematic(np.full(len(agreed), probability), one_stratum, rng=chance)
    return [Chosen(agreed[place], True, probability) for place in rng.sample(places.tolist(), len(places))]


def _interleave(doubtful: list[Chosen[Key]], drawn: list[Chosen[Key]], *, rng: Random) -> list[Chosen[Key]]:
    places = set(rng.sample(range(len(doubtful) + len(drawn)), len(drawn)))
    error_probability, chance = iter(doubtful), iter(drawn)
    return [next(chance) if place in places else next(error_probability) for place in range(len(doubtful) + len(drawn))]


def _farthest(places: Sequence[int], nearest: npt.NDArray[np.float32], *, rng: Random, first: bool) -> int:
    if first:
        return rng.choice(places)
    return places[int(np.argmax(nearest[places]))]


def _unit_rows(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: npt.NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled
