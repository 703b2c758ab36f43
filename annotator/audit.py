"""How far the flags can be trusted: the miss rate of the unflagged pictures, from those drawn by chance."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from annotator.miss_rate import CONFIDENCE, MissRate, miss_rate, more_reviews_for
from annotator.verdict import is_wrong
from db.session import reading
from db.store.review_queue import QueueFilter, answered_at_random, count_agreed, load_candidates
from db.store.reviews import current_corrections


@dataclass(frozen=True)
class AgreementAudit:
    """The miss rate of one model's unflagged pictures. more: reviews still needed for an interval of `width`."""

    model_version: str
    unflagged: int
    missed: MissRate
    width: float
    more: int | None


def audit_agreement(
    engine: Engine, *, model_version: str, below: float, width: float, confidence: float = CONFIDENCE
) -> AgreementAudit:
    """Return how many unflagged pictures are wrong, as far as the reviews of randomly drawn ones tell.

    below: the agreement under which a picture is flagged; only answers to pictures above it count.

    Raises:
        ValueError: the width or the confidence is impossible.
    """
    every = QueueFilter(model_version=model_version, below=below, handed_out=True)
    with reading(engine) as session:
        unflagged = count_agreed(session, every)
        said = current_corrections(session)
        drawn = dict(answered_at_random(session, model_version=model_version))
        candidates = load_candidates(session, list(drawn), with_heatmaps=False)
    verdicts = [
        is_wrong(candidate.species, [stored.detection for stored in candidate.detections], label)
        for candidate in candidates.values()
        if candidate.agreement.score >= below
        and candidate.sha256 in said
        and (label := said[candidate.sha256].label) is not None
    ]
    missed = miss_rate(reviewed=len(verdicts), wrong=sum(verdicts), confidence=confidence)
    return AgreementAudit(
        model_version=model_version,
        unflagged=unflagged,
        missed=missed,
        width=width,
        more=more_reviews_for(missed, width=width),
    )
