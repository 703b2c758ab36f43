"""Asks whether a detector has learnt to see at all, and how far its figures can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worker.training.detector.box_figures import SeenFish

# Scores that differ less within an image say "everything is alike": boxes of twenty places at 0.96 to 0.99.
FLAT_SPREAD = 0.05
_BOXES_TO_COMPARE = 3
# Heat that has learnt is tens of times denser on fish; an even map has 1.
DENSER_ON_FISH = 1.5
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

    figures: of the held-out images; `accuracy` and `majority_accuracy` are compared.
    """
    blind = [text for text in (_flat(seen), _heat_everywhere(seen)) if text]
    cautions = [text for text in (_no_better(figures), _judged_on(images, cameras), _one_species(species)) if text]
    return Learnt(tuple(blind), tuple(cautions))


def _flat(seen: Sequence[SeenFish]) -> str | None:
    with_fish = [one.scores for one in seen if len(one.truth) and len(one.scores) >= _BOXES_TO_COMPARE]
    spreads = [float(np.quantile(scores, 0.9) - np.quantile(scores, 0.1)) for scores in with_fish]
    if not spreads or np.median(spreads) >= FLAT_SPREAD:
        return None
    return (
        f"has not learnt where fish are: within an image its boxes' scores lie {np.median(spreads):.3f} apart "
        f"(wanted {FLAT_SPREAD} between the 10th and the 90th in a hundred)"
    )


def _heat_everywhere(seen: Sequence[SeenFish]) -> str | None:
    ratios = [one.heat_on / max(one.heat_off, 1e-9) for one in seen if not np.isnan(one.heat_on)]
    if not ratios or np.median(ratios) >= DENSER_ON_FISH:
        return None
    return (
        f"does not see fish: its heat is {np.median(ratios):.2f} times as dense on labelled fish as beside them "
        f"(wanted {DENSER_ON_FISH})"
    )


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
