"""How far a job's plan is, whether its targets are reached, and what a reader of the figures must know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from annotator.catch.frame import JobFrame
from annotator.estimates.figures import (
    FEWEST_REVIEWS,
    Sample,
    catch_figures,
    confidence_of_plan,
    missed_share,
    more_to_shrink,
)
from db.domain.catch import PlanState, TargetState
from db.domain.jobs import Job
from db.domain.plans import ReviewPlan, Target, target_from


def plan_state(
    plan: ReviewPlan, plans: Sequence[ReviewPlan], frame: JobFrame, sample: Sample, *, answered: int, undecided: int
) -> PlanState:
    """Return how far a plan is reviewed, and which of its targets are reached.

    answered: its images that people decided on, also of a day that is half reviewed. undecided: nobody could tell.
    """
    targets = [target_from(text) for text in plan.origin.target.split(", ") if text]
    return PlanState(
        plan_id=plan.plan_id,
        model_version=plan.origin.model_version,
        images=len(plan.items),
        answered=answered,
        undecided=undecided,
        left=max(0, len(plan.items) - answered - undecided),
        certain=plan.design.certain,
        drawn=plan.design.drawn,
        targets=tuple(_target_state(target, plan, plans, frame, sample) for target in targets),
    )


def _target_state(
    target: Target, plan: ReviewPlan, plans: Sequence[ReviewPlan], frame: JobFrame, sample: Sample
) -> TargetState:
    whole = np.zeros(len(frame), dtype=np.int64)
    if target.is_missed:
        # Plan after plan until one says yes: each must be surer than the one before.
        before = sum(str(target) in one.origin.target.split(", ") for one in plans if one.plan_id < plan.plan_id)
        share = missed_share(sample, whole, confidence=confidence_of_plan(before))[0].share
        found = None if share is None else share.high
    else:
        estimate = catch_figures(sample, (target.figure,), whole)[0].estimate
        found = None if estimate is None or estimate.value <= 0.0 else estimate.half_width / estimate.value
    if found is None or found <= target.share:
        return TargetState(str(target), found, found is not None, None if found is None else 0)
    if target.is_missed:
        return TargetState(str(target), found, False, None)
    free = len(frame) - len(sample.known)
    more = more_to_shrink(reviewed=len(sample.reviewed), images=free, by=found / target.share)
    return TargetState(str(target), found, False, more)


def notes_of(
    job: Job,
    frame: JobFrame,
    plan: ReviewPlan | None,
    state: PlanState | None,
    models: Sequence[str],
    *,
    plans: Sequence[ReviewPlan],
) -> tuple[str, ...]:
    """Return what a reader of the figures must know."""
    notes = []
    if plan is None or state is None:
        notes.append(
            f"no plan was drawn for job {job.job_id}, so nothing is known of images that nobody looked at; "
            f"next: cli review plan {job.job_id} --budget 100 --write DIR"
        )
        return (*notes, *_about_job(job))
    if not state.is_complete:
        notes.append(
            f"so far: {state.left} of the {state.images} images of plan {plan.plan_id} are still to look at; "
            "the figures are final when all are"
        )
    if state.undecided:
        notes.append(
            f"{state.undecided} images of the plan nobody could tell; they count as if they had not been drawn"
        )
    if state.answered < FEWEST_REVIEWS:
        notes.append(f"{state.answered} images of the plan have an answer; figures need at least {FEWEST_REVIEWS}")
    if plan is not plans[-1]:
        notes.append(f"plan {plans[-1].plan_id} is newer and not reviewed to its end; figures stand on {plan.plan_id}")
    free = len(frame) - int(frame.decided_by(plan.origin.last_correction_id).sum())
    if free != plan.origin.images:
        notes.append(f"the plan was drawn from {plan.origin.images} images, {free} of them are in the job now")
    if tuple(models) != (plan.origin.model_version,):
        notes.append(
            f"the plan was drawn for model {plan.origin.model_version}, and its answers count here; "
            f"the job's own are by {', '.join(models)}"
        )
    return (*notes, *_about_job(job))


def _about_job(job: Job) -> list[str]:
    counts = Counter({"still without an answer": job.counts.pending, "failed": job.counts.bad})
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return [f"of the job's {job.counts.total} images {told}; the figures say nothing of them"] if told else []
