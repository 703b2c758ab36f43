"""Asks a cue, something known of an image, for its species: every image is answered by what learnt from others.

numpy and scipy only; a network is passed in as a learner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from db.domain.leakage import Interval
from worker.leakage.verdicts import PLANTED_SHARE, CueAnswers, evaluate_told
from worker.training import metrics
from worker.training.data.splits import camera_folds
from worker.training.probe import fit_probe

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

FOLDS = 5
_SHARES = np.linspace(0.0, 1.0, 41)
_INNER_FOLDS = 2

Learner = Callable[[Ints, Rows, Rows], npt.ArrayLike]
"""Called with the species of all images, the rows to learn from and the rows to answer; returns distributions."""


def folds_by(names: Sequence[object], *, seed: int) -> Ints:
    """Return the fold of each image, so that what shares a name, such as a camera, is in one fold; (N,).

    Raises:
        TrainingError: all share one name.
    """
    texts = [str(name) for name in names]
    groups = camera_folds(texts, k=min(FOLDS, len(set(texts))), seed=seed)
    place = {text: fold for fold, group in enumerate(groups) for text in group}
    return np.array([place[text] for text in texts], dtype=np.int64)


def plain_guess(species: Ints, folds: Ints, *, count: int) -> Floats:
    """Return what one says who knows nothing of an image: the other folds' shares of the species; (N, S).

    Half an image is added to each species that occurs, so that one that only this fold has is not impossible.
    """
    said, occurs = np.zeros((len(species), count)), np.bincount(species, minlength=count) > 0
    for fold in np.unique(folds):
        seen = np.bincount(species[folds != fold], minlength=count) + 0.5 * occurs
        said[folds == fold] = seen / seen.sum()
    return said


@dataclass(frozen=True)
class CueImages:
    """Images whose species are asked for. species: (N,) places on the axis of count species. folds: (N,).

    alike: (N,) a number that near-duplicates share, see `near_duplicates`.
    """

    species: Ints
    folds: Ints
    alike: Ints
    count: int
    seed: int = 0

    def part(self, rows: Sequence[int]) -> CueImages:
        """Return some of them, in the same folds."""
        return replace(self, species=self.species[rows], folds=self.folds[rows], alike=self.alike[rows])

    def ask(self, learn: Learner, *, at_most_folds: int = FOLDS) -> CueAnswers:
        """Return what a cue says of the species, every fold learnt from all others.

        Its word is mixed with the plain guess by the share that does best on the other folds: a cue that tells
        nothing then costs nothing, while a cue that was learnt by heart would say nonsense surely.
        at_most_folds: fewer are answered where learning takes long.
        """
        answered = np.unique(self.folds)[:at_most_folds]
        rows = np.flatnonzero(np.isin(self.folds, answered))
        guess, said = plain_guess(self.species, self.folds, count=self.count), np.zeros((len(self.species), self.count))
        for fold in answered:
            mine = np.flatnonzero(self.folds == fold)
            said[mine] = learn(self.species, np.flatnonzero(self.folds != fold), mine)
        truth, said, guess, folds = self.species[rows], said[rows], guess[rows], self.folds[rows]
        mixed = np.zeros_like(said)
        for fold in answered:
            mine = folds == fold
            share = _best_share(said[~mine], guess[~mine], truth[~mine])
            mixed[mine] = share * said[mine] + (1.0 - share) * guess[mine]
        return CueAnswers(truth, mixed, guess, self.alike[rows])

    def find_planted(self, learn: Learner, tied_to: Sequence[object]) -> Interval | None:
        """Return how much of a planted leak a cue finds; None where no species can depend on it.

        tied_to: one an image, what the planted species depend on.
        """
        planted = plant_leak(self.species, tied_to, count=self.count, share=PLANTED_SHARE, seed=self.seed)
        if planted is None:
            return None
        return evaluate_told(replace(self, species=planted).ask(learn))


def plant_leak(species: Ints, groups: Sequence[object], *, count: int, share: float, seed: int) -> Ints | None:
    """Return species drawn anew so that the groups tell this share of them; None where no species could depend on them.

    Each group has one species of its own, which its images show as often as that takes; else they show what all
    images show. Groups that tell all of their species and still less than the share tell what they can.
    species: (N,). groups: one an image, such as its camera. share: of the species' entropy, 0..1.
    """
    rng = np.random.default_rng(seed)
    _names, places = np.unique([str(group) for group in groups], return_inverse=True)
    shares = np.bincount(species, minlength=count) / len(species)
    weights = np.bincount(places) / len(places)
    own = np.eye(count)[rng.choice(count, size=len(weights), p=shares)]  # (G, S)

    def told(often: float) -> float:
        return _information(weights, often * own + (1.0 - often) * shares)

    if told(1.0) <= 0.0:
        return None
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2.0
        low, high = (middle, high) if told(middle) < share else (low, middle)
    depends = rng.random(len(species)) < high
    return np.where(depends, own.argmax(axis=1)[places], rng.choice(count, size=len(species), p=shares))


def linear_learner(inputs: npt.ArrayLike, folds: Ints, *, count: int) -> Learner:
    """Return a softmax on inputs, (N, D); its L2 is chosen on two folds of what it learns from."""
    values = np.asarray(inputs, dtype=np.float32)

    def learn(species: Ints, rows: Rows, asked: Rows) -> Floats:
        others = np.unique(folds[rows])
        inner = [folds[rows] == fold for fold in others[:_INNER_FOLDS]] if len(others) > 1 else []
        ones = np.ones(len(rows), dtype=np.float32)
        return fit_probe(values[rows], species[rows], ones, count=count, folds=inner).probabilities(values[asked])

    return learn


def one_hot(names: Sequence[object]) -> npt.NDArray[np.float32]:
    """Return which of the values that occur each entry is; (N, values in order of their text)."""
    _values, places = np.unique([str(name) for name in names], return_inverse=True)
    return np.eye(places.max() + 1, dtype=np.float32)[places]


def _information(weights: Floats, distributions: Floats) -> float:
    """Return the mutual information of group and species over the species' entropy; (G,), (G, S)."""
    everywhere = weights @ distributions
    before = -float(np.sum(everywhere * np.log(np.maximum(everywhere, 1e-12))))
    after = -float(weights @ np.sum(distributions * np.log(np.maximum(distributions, 1e-12)), axis=1))
    return 1.0 - after / before if before > 1e-9 else 0.0


def _best_share(said: Floats, guess: Floats, species: Ints) -> float:
    losses = [metrics.log_loss(species, share * said + (1.0 - share) * guess) for share in _SHARES]
    return float(_SHARES[int(np.argmin(losses))])
