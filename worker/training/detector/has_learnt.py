"""Asks whether a detector has learnt to see at all, and how far its figures can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worker.training.detector.box_figures import SeenFish

# An image's surest box that lies less above the middle one, and is not twice it, says "everything is alike": twenty
# boxes at 0.96 to 0.99. One fish of 0.06 among boxes of 0.02 is weak, and seen all the same.
FLAT_SPREAD, FLAT_RATIO = 0.05, 2.0
_BOXES_TO_COMPARE = 3
# Heat that has learnt is tens of times denser on fish; an even map has 1.
DENSER_ON_FISH = 1.5
# A detector that finds half of the fish misses ten in a row once in a thousand.
_FISH_TO_MISS = 10
_FEW_FOUND = 0.1
_FEW_IMAGES = 30
_FEW_CAMERAS = 2


@dataclass(frozen=True)
class Learnt:
    """blind: why the detector does not see fish, one line each; a first model that does not serves only when told to.

    cautions: why its figures, or some of its answers, deserve little trust.
    """

    blind: tuple[str, ...]
    cautions: tuple[str, ...]


def has_learnt(
    seen: Sequence[SeenFish], figures: Mapping[str, float], *, images: int, cameras: int, species: Sequence[str]
) -> Learnt:
    """Return what is to be said of a detector. images, cameras: evaluated on. species: that have labelled images.

    figures: of the held-out images; `accuracy` and `majority_accuracy` are compared, `fish_recall_in_3` is judged.
    """
    blind = [text for text in (_flat(seen), _heat_everywhere(seen), _finds_none(seen, figures)) if text]
    doubts = (_finds_few(figures), _no_better(figures), _judged_on(images, cameras), _one_species(species))
    cautions = [text for text in doubts if text]
    return Learnt(tuple(blind), tuple(cautions))


def _flat(seen: Sequence[SeenFish]) -> str | None:
    with_fish = [one.scores for one in seen if len(one.truth) and len(one.scores) >= _BOXES_TO_COMPARE]
    if not with_fish:
        return None
    surest = np.array([scores.max() for scores in with_fish])
    middle = np.array([np.median(scores) for scores in with_fish])
    spread, ratio = float(np.median(surest - middle)), float(np.median(surest / middle))
    if spread >= FLAT_SPREAD or ratio >= FLAT_RATIO:
        return None
    return (
        f"has not learnt where fish are: an image's surest box scores {spread:.3f} above its middle one, "
        f"{ratio:.2f} times it (wanted {FLAT_SPREAD} or {FLAT_RATIO:g} times)"
    )


def _heat_everywhere(seen: Sequence[SeenFish]) -> str | None:
    ratios = [one.heat_on / max(one.heat_off, 1e-9) for one in seen if not np.isnan(one.heat_on)]
    if not ratios or np.median(ratios) >= DENSER_ON_FISH:
        return None
    return (
        f"does not see fish: its heat is {np.median(ratios):.2f} times as dense on labelled fish as beside them "
        f"(wanted {DENSER_ON_FISH})"
    )


def _finds_none(seen: Sequence[SeenFish], figures: Mapping[str, float]) -> str | None:
    fish = sum(len(one.truth) for one in seen)
    if fish < _FISH_TO_MISS or figures.get("fish_recall_in_3", 1.0) > 0.0:
        return None
    return f"finds no fish: none of the {fish} labelled ones is under an image's three surest boxes"


def _finds_few(figures: Mapping[str, float]) -> str | None:
    found = figures.get("fish_recall_in_3", 1.0)
    if found >= _FEW_FOUND:
        return None
    return f"finds hardly any fish on cameras kept apart: {found:.0%} of them are under an image's three surest boxes"


def _no_better(figures: Mapping[str, float]) -> str | None:
    own, majority = figures.get("accuracy"), figures.get("majority_accuracy")
    if own is None or majority is None or own > majority:
        return None
    return f"names species no better than always saying the commonest one ({own:.3f} against {majority:.3f})"


def _judged_on(images: int, cameras: int) -> str | None:
    if images == 0:
        return "was not evaluated: there was no image to hold out"
    if images >= _FEW_IMAGES and cameras >= _FEW_CAMERAS:
        return None
    return (
        f"was evaluated on {images} images of {cameras} camera{'s' if cameras != 1 else ''}: its figures may be chance"
    )


def _one_species(species: Sequence[str]) -> str | None:
    if len(species) > 1:
        return None
    return f"knows one species: whatever fish it finds, it calls {species[0] if species else 'nothing'}"
