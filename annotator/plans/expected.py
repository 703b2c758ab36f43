"""What a model's answers and their error probabilities let expect: how wrong each image may be, for each figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotator.estimates.weighted_sums import (
    Floats,
)

Codes = npt.NDArray[np.int64]

# An error probability of 0 or 1 would be a promise that no model keeps.
SUREST = 0.02
# A species of which hardly an image is expected would take the whole plan: its figure counts as if it were this share.
LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Answers:
    """What a model says of the images that a plan can draw. All (N,).

    species: place in `names`. fish: how many of it, 0 for no fish. error_probability: of the answer, 0..1. camera, day:
    codes, any whole numbers.
    """

    names: tuple[str, ...]
    species: Codes
    fish: Floats
    error_probability: Floats
    camera: Codes
    day: Codes

    def __len__(self) -> int:
        return len(self.species)

    def only(self, chosen: npt.NDArray[np.generic]) -> Answers:
        """Return the answers of some images: a mask or places."""
        return Answers(
            self.names,
            self.species[chosen],
            self.fish[chosen],
            self.error_probability[chosen],
            self.camera[chosen],
            self.day[chosen],
        )

    def predicted(self, name: str) -> Floats:
        """Return how many of a species the model says are in each image. (N,)"""
        return np.where(self.species == self.names.index(name), self.fish, 0.0)


@dataclass(frozen=True)
class Confusion:
    """Where wrong answers belong. shares: (S, S), of the wrong answers of a row's species the shares that are truly
    of each column's; rows sum to 1, the diagonal is 0."""

    shares: Floats


def confusion_from(names: tuple[str, ...], answers: Floats, counts: Floats, *, prior: float = 5.0) -> Confusion:
    """Return where wrong answers belong, from reviews so far.

    answers: (S,), images by the model's species. counts: (S, S), reviewed wrong answers by the model's species and the
    true one. Before there are reviews, wrong answers are taken to be of the species that the model names often.

    prior: as how many reviews of each species that assumption counts.
    """
    size = len(names)
    common = np.broadcast_to(answers / max(answers.sum(), 1.0) + 1.0 / 100.0, (size, size))
    off = 1.0 - np.eye(size)
    assumed = common * off
    assumed = assumed / assumed.sum(axis=1, keepdims=True)
    held = counts * off + prior * assumed
    return Confusion(held / held.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Aims:
    """Which figures a plan is for. species: totals by species; missed: the share of wrong answers nobody looks at."""

    species: tuple[str, ...]
    missed: bool


def scores_for(answers: Answers, confusion: Confusion, aims: Aims) -> Floats:
    """Return the root of each image's expected squared error, summed over the figures relative to their size. (N,)

    Source: Neyman 1934 (the best draw is proportional to the deviation); Perez et al. 2024 (DISCount) for counts.
    """
    wrong = np.clip(answers.error_probability, SUREST, 1.0 - SUREST)
    totals = expected_totals(answers, confusion)
    least = LEAST_SHARE * max(totals.sum(), 1.0)
    importance = np.zeros(len(answers.names))
    for name in aims.species:
        place = answers.names.index(name)
        importance[place] = 1.0 / max(totals[place], least) ** 2
    missed_instead = confusion.shares @ importance  # (S,): what a wrong answer of each species may have missed
    squares = wrong * (importance[answers.species] * answers.fish**2 + missed_instead[answers.species])
    if aims.missed:
        squares = squares + wrong * (1.0 - wrong) / max(float(wrong.sum()), 1.0) ** 2
    return np.sqrt(squares)


def expected_totals(answers: Answers, confusion: Confusion) -> Floats:
    """Return how many fish of each species are expected, the likely errors corrected. (S,)"""
    size = len(answers.names)
    right = (1.0 - answers.error_probability) * answers.fish
    totals = np.bincount(answers.species, weights=right, minlength=size)
    wrong = np.bincount(answers.species, weights=answers.error_probability, minlength=size)
    return np.asarray(totals + wrong @ confusion.shares)
