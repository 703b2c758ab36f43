"""The last step of a job: each camera's crops hear each other, and what they say then is stored beside their own word.

Everything is computed from what is stored, and only where the stored set of predictions is another than was heard: a
retry, a second worker or a killed one changes nothing. When more images come, or a camera is corrected, it is computed
again; until then the answers of before stand.
"""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.domain.final_answer import final_probabilities, most_probable
from db.session import transaction
from db.store.jobs import lock_job
from db.store.neighbours import (
    CameraPredictions,
    NeighbourAnswer,
    OwnHeads,
    forget_others,
    hearing_parts,
    is_answered,
    is_finished,
    own_crops,
    own_heads,
    predictions_by_camera,
    put_answers,
)
from worker.inference.together import HearingRule, OwnAnswer, answer_together, rule_of


def settle_job(engine: Engine, job_id: int) -> int:
    """Return how many predictions of a finished job were answered anew; 0 where all were, or images still wait."""
    with transaction(engine) as session:
        if not is_finished(session, job_id):
            return 0
        parts = hearing_parts(session, job_id)
        rules = {model: rule for model, part in parts.items() if (rule := rule_of(part)) is not None}
        if not rules:
            return 0
        lock_job(session, job_id)
        groups = predictions_by_camera(session, job_id, sorted(rules))
        forget_others(session, job_id, [group.digest for group in groups])
        return sum(_settle(session, job_id, group, rules[group.model_version]) for group in groups)


def _settle(session: Session, job_id: int, group: CameraPredictions, rule: HearingRule) -> int:
    if is_answered(session, job_id, group):
        return 0
    crops = own_crops(session, group.prediction_ids)
    own = [
        OwnAnswer(
            tuple(crop.probabilities for crop in crops.get(prediction_id, ())),
            tuple(crop.embedding for crop in crops.get(prediction_id, ())),
            tuple(crop.confidence for crop in crops.get(prediction_id, ())),
        )
        for prediction_id in group.prediction_ids
    ]
    heads = own_heads(session, group.prediction_ids)
    answers = [
        NeighbourAnswer(
            prediction_id, _species(heads[prediction_id], heard.image, rule.species), heard.image, heard.crops
        )
        for prediction_id, heard in zip(group.prediction_ids, answer_together(own, rule), strict=True)
        if heard is not None
    ]
    put_answers(session, job_id, group, answers)
    return len(answers)


def _species(heads: OwnHeads, crops: tuple[float, ...], names: tuple[str, ...]) -> str:
    return most_probable(final_probabilities(heads.box, heads.heatmap, crops, weight=heads.weight), names)
