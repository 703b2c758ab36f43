"""How far the flags can be trusted: the miss rate of the unflagged images, from those drawn by chance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from annotator.uncertainty.is_wrong import is_wrong
from annotator.uncertainty.miss_rate import (
    CONFIDENCE,
    MissRate,
    Stratum,
    more_reviews_for,
    weighted_miss_rate,
    weighted_stratum,
)
from db.session import reading
from db.store.error_probabilities import refresh_error_probabilities
from db.store.plans import draw_weights
from db.store.review_queue import (
    QueueFilter,
    answered_predictions,
    count_agreed,
    draws_by_chance,
    load_candidates,
)
from db.store.reviews import current_corrections

# To which species and which camera a choice was narrowed; None: to none.
Draw = tuple[str | None, str | None]
# An image's species and camera.
Kind = tuple[str, str]


@dataclass(frozen=True)
class Verdict:
    """An unflagged image that was drawn by chance and decided on. weight: of its draw, 1 in the mean of each draw."""

    kind: Kind
    is_miss: bool
    weight: float = 1.0


@dataclass(frozen=True)
class AgreementAudit:
    """The miss rate of one model's unflagged images. more: reviews still needed for an interval of `width`.

    out_of_reach: of the unflagged images those of kinds from which none was drawn and reviewed yet; the rate is of
    the others.
    """

    model_version: str
    unflagged: int
    out_of_reach: int
    missed: MissRate
    width: float
    more: int | None


def audit_agreement(
    engine: Engine, *, model_version: str, below: float, width: float, confidence: float = CONFIDENCE
) -> AgreementAudit:
    """Return how many unflagged images are wrong, as far as the reviews of randomly drawn ones tell.

    below: the chance to be right under which an image is flagged; only answers to images above it count. A choice
    that was narrowed to a species or a camera drew from these only: its answers are weighted to stand for no others.
    Images of a review plan count by their stored probabilities; those of days or trips that were drawn whole are left
    out, as images of one day are no independent witnesses.

    Raises:
        ValueError: the width or the confidence is impossible.
    """
    refresh_error_probabilities(engine, model_version)
    every = QueueFilter(model_version=model_version, below=below, handed_out=True)
    with reading(engine) as session:
        held = count_agreed(session, every)
        draws = draws_by_chance(session, model_version=model_version)
        verdicts = _verdicts(session, model_version=model_version, below=below)
    strata = strata_of(held, verdicts, draws)
    missed = weighted_miss_rate(strata, confidence=confidence)
    more = more_reviews_for(missed, width=width)
    unflagged = sum(held.values())
    return AgreementAudit(
        model_version=model_version,
        unflagged=unflagged,
        out_of_reach=unflagged - sum(one.images for one in strata if one.reviewed),
        missed=missed,
        width=width,
        more=more,
    )


def strata_of(held: Mapping[Kind, int], verdicts: Iterable[Verdict], draws: Collection[Draw]) -> list[Stratum]:
    """Return the kinds of images that the same draws could take, as strata.

    Within one of them each draw took images with the same chance, or with chances that the verdicts' weights tell,
    whatever the draws were narrowed to.

    >>> found = strata_of({("ALB", "a"): 90, ("ALB", "b"): 10}, [Verdict(("ALB", "b"), True)], {(None, "b")})
    >>> [(one.images, one.reviewed, one.wrong) for one in found]
    [(90, 0, 0), (10, 1, 1)]
    """
    images: Counter[frozenset[Draw]] = Counter()
    for kind, count in held.items():
        images[_drawn_by(kind, draws)] += count
    reviewed: dict[frozenset[Draw], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        reviewed[_drawn_by(verdict.kind, draws)].append(verdict)
    return [
        weighted_stratum(count, [one.weight for one in reviewed[draw]], [one.is_miss for one in reviewed[draw]])
        for draw, count in images.items()
    ]


def _drawn_by(kind: Kind, draws: Collection[Draw]) -> frozenset[Draw]:
    species, camera = kind
    return frozenset(draw for draw in draws if draw[0] in (None, species) and draw[1] in (None, camera))


def _verdicts(session: Session, *, model_version: str, below: float) -> list[Verdict]:
    """Return what came of every unflagged image that was drawn by chance, by itself, and decided on."""
    said, weights = current_corrections(session), draw_weights(session, model_version=model_version)
    drawn = answered_predictions(session, model_version=model_version, at_random=True, agreed_below=below)
    drawn = [prediction_id for prediction_id in drawn if weights.get(prediction_id, 1.0) is not None]
    return [
        Verdict(
            (one.species, one.camera),
            is_wrong(one.species, [stored.detection for stored in one.detections], label),
            weights.get(prediction_id) or 1.0,
        )
        for prediction_id, one in load_candidates(session, drawn, with_heatmaps=False).items()
        if one.sha256 in said and (label := said[one.sha256].label) is not None
    ]
