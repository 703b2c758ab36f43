"""How much looking finds how many wrong images: our order beside others, on predictions whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from annotator.simulation.oracle import effort_curve, share_found
from annotator.uncertainty.is_wrong import is_wrong
from db.domain.labels import ImageLabel
from db.store.review_queue import ReviewCandidate

OUR_ORDER = "our order"


@dataclass(frozen=True)
class Effort:
    """What orders of looking find. shares: by order, the share of wrong images found in the first `looked_share`.

    curves: by order, wrong images found after looking at 0, 1, 2, ... images.
    """

    images: int
    wrong: int
    looked_share: float
    shares: dict[str, float]
    curves: dict[str, tuple[int, ...]]


def review_effort(
    candidates: Sequence[ReviewCandidate],
    truth: Mapping[str, ImageLabel],
    *,
    looked_share: float = 0.2,
    rng: Random,
    others: Mapping[str, Mapping[int, float]] = MappingProxyType({}),
) -> Effort:
    """Return what each order finds; images whose truth is not known are left out.

    others: more orders by name, each a score by prediction; the lowest is looked at first.

    Raises:
        ValueError: the looked share is outside 0..1.
    """
    known = [candidate for candidate in candidates if candidate.sha256 in truth]
    wrong = {
        one.prediction_id
        for one in known
        if is_wrong(one.species, [stored.detection for stored in one.detections], truth[one.sha256])
    }
    orders = _orders(known, others, rng=rng)
    return Effort(
        images=len(known),
        wrong=len(wrong),
        looked_share=looked_share,
        shares={name: share_found(order, wrong, looked_share=looked_share) for name, order in orders.items()},
        curves={name: tuple(effort_curve(order, wrong).tolist()) for name, order in orders.items()},
    )


def _orders(
    known: Sequence[ReviewCandidate], others: Mapping[str, Mapping[int, float]], *, rng: Random
) -> dict[str, list[int]]:
    # Shuffled first: equal scores must not profit from the order of the files.
    mixed = rng.sample(known, len(known))
    ids = [one.prediction_id for one in mixed]
    return {
        OUR_ORDER: [one.prediction_id for one in sorted(mixed, key=lambda one: -one.error_probability)],
        "least confidence": [one.prediction_id for one in sorted(mixed, key=lambda one: one.answer.probability)],
        "margin": [one.prediction_id for one in sorted(mixed, key=_margin)],
        "entropy": [one.prediction_id for one in sorted(mixed, key=lambda one: -_entropy(one))],
        **{name: sorted(ids, key=scores.__getitem__) for name, scores in others.items()},
        "random": ids,
    }


def _margin(one: ReviewCandidate) -> float:
    """How much more probable the answer is than the next species."""
    shares = sorted(one.answer.probabilities.values(), reverse=True)
    return shares[0] - shares[1] if len(shares) > 1 else 1.0


def _entropy(one: ReviewCandidate) -> float:
    return -sum(share * math.log(share) for share in one.answer.probabilities.values() if share > 0.0)
