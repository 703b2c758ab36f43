"""Near-duplicates: frames a second apart and copies are found; a fish that comes or goes makes another image."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from worker.training.data.near_duplicates import near_duplicates
from worker.training.features.thumbnails import thumbnail

SIZE = (640, 360)
RNG = np.random.default_rng(5)


def _deck(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(60, 190, (6, 10, 3), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    return np.asarray(rough.filter(ImageFilter.GaussianBlur(4)))


def _with_fish(deck: np.ndarray, x: int, y: int) -> np.ndarray:
    pixels = deck.copy()
    pixels[y : y + 30, x : x + 80] = 200 if deck[y : y + 30, x : x + 80].mean() < 125 else 50
    return pixels


def _saved_again(pixels: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=40)
    return np.asarray(Image.open(file))


def _groups(*images: np.ndarray) -> list[int]:
    return near_duplicates(np.stack([thumbnail(one) for one in images]), [SIZE] * len(images)).tolist()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_saved_again, id="saved again"),
        pytest.param(lambda p: np.roll(p, 2, axis=1), id="two pixels aside"),
        pytest.param(lambda p: np.clip(p.astype(int) + 12, 0, 255).astype(np.uint8), id="a little lighter"),
        pytest.param(lambda p: np.clip(p + RNG.normal(0, 8, p.shape), 0, 255).astype(np.uint8), id="noise"),
    ],
)
def test_the_same_moment_is_one_image(change) -> None:
    image = _with_fish(_deck(1), 200, 150)

    assert len(set(_groups(image, change(image)))) == 1


def test_another_fish_on_the_same_deck_is_another_image() -> None:
    deck = _deck(2)

    groups = _groups(deck, _with_fish(deck, 100, 100), _with_fish(deck, 420, 240))

    assert len(set(groups)) == 3


def test_a_fish_is_seen_by_its_colour_alone() -> None:
    deck = np.full((360, 640, 3), 110, dtype=np.uint8)
    red = deck.copy()
    red[150:180, 200:280] = (230, 60, 40)  # as bright as the deck

    assert len(set(_groups(deck, red))) == 2


def test_a_chain_of_near_duplicates_is_one_group_and_equal_ones_cost_nothing() -> None:
    frames = [np.full((360, 640, 3), 90, dtype=np.uint8) for _ in range(4)]
    frames[1][:, :320] += 5
    frames[2][:, :320] += 10  # from the first it differs by 10, from the second by 5

    assert len(set(_groups(*frames))) == 1


def test_two_sizes_are_never_alike() -> None:
    deck = thumbnail(_deck(3))

    assert near_duplicates(np.stack([deck, deck]), [SIZE, (1280, 720)]).tolist() == [0, 1]
