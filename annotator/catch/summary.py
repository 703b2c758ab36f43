"""A job's catch figures: the answers, what people said of the newest plan's images, and the estimate of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from annotator.catch.animals import AnimalShares, animal_shares
from annotator.catch.frame import JobFrame, load_frame, model_of_job, wrong_of
from annotator.catch.plan_state import notes_of, plan_state
from annotator.estimates.figures import (
    ALL_FISH,
    Figure,
    Missed,
    Sample,
    catch_figures,
    interval_by_group,
    missed_share,
    more_to_halve,
)
from annotator.estimates.so_far import probability_so_far
from annotator.plans.draw import Codes
from annotator.plans.pace import pace_of
from db.domain.catch import CatchFigure, CatchSummary, Counted, Grouping, MissedFigure
from db.domain.plans import ReviewPlan
from db.domain.species import NO_FISH, LabelSet
from db.session import reading
from db.store.catch import review_moments, said_of_images, undecided_images
from db.store.event_images import event_images
from db.store.events import has_events
from db.store.jobs import get_job
from db.store.plans import plans_of_job
from db.store.results import models_of_job

_CAMERAS_TOLD = 5


def summarise_catch(
    engine: Engine,
    job_id: int,
    by: Sequence[Grouping],
    *,
    label_set: LabelSet,
    model_version: str | None = None,
    animals: bool = False,
) -> CatchSummary:
    """Return a job's catch figures. by: the groups that they are told apart by, besides the species.

    animals: count events, every animal once, where the job has them; else fish, image by image.

    They stand on the newest plan that was reviewed to its end, else on the newest one; what people had decided on
    before it was drawn is known, its images stand for the rest.

    Raises:
        NotFoundError: no such job. PlanError: it has no answers.
    """
    with reading(engine) as session:
        job, plans = get_job(session, job_id), plans_of_job(session, job_id)
        pace = pace_of(review_moments(session))
        plan = _plan_that_counts(session, job_id, plans)
        frame = _frame(session, job_id, plan, label_set=label_set, model_version=model_version)
        sample = _sample(session, frame, plan)
        undecided = _undecided(session, frame, plan)
        shares = None
        if animals and has_events(session, job_id):
            shares = animal_shares(frame, event_images(session, job_id))
        models = models_of_job(session, job_id)
    counted = sample if shares is None else _in_animals(sample, shares)
    wanted = tuple(grouping for grouping in by if grouping is not Grouping.SPECIES)
    groups, names = _groups(frame, wanted)
    species = _species_told(frame, counted)
    state = None
    if plan is not None:
        state = plan_state(plan, plans, frame, sample, answered=_answered(frame, plan), undecided=undecided)
    decided = int(frame.decided_by(None).sum())
    return CatchSummary(
        job_id=job_id,
        by=wanted,
        model_version=frame.model_version,
        images=len(frame),
        decided=decided,
        plan=state,
        figures=tuple(_figure(one, names) for one in catch_figures(counted, (*species, ALL_FISH), groups)),
        missed=tuple(_missed(one, names) for one in missed_share(sample, groups)),
        contributions={name: _contributions(frame, counted, name) for name in species} if plan is not None else {},
        more_to_halve=_halve(frame, sample) if plan is not None else None,
        hours=pace.hours(decided),
        seconds_per_image=pace.seconds,
        measured=pace.gaps > 0,
        notes=notes_of(job, frame, plan, state, models, plans=plans),
        counts=Counted.FISH_IN_IMAGES if shares is None else Counted.ANIMALS,
    )


def _plan_that_counts(session: Session, job_id: int, plans: Sequence[ReviewPlan]) -> ReviewPlan | None:
    said = said_of_images(session, job_id).keys() if plans else set()
    for plan in reversed(plans):
        done = said | undecided_images(session, plan.export_id)
        if all(item.image_id in done for item in plan.items):
            return plan
    return plans[-1] if plans else None


def _frame(
    session: Session, job_id: int, plan: ReviewPlan | None, *, label_set: LabelSet, model_version: str | None
) -> JobFrame:
    if plan is None:
        return load_frame(
            session,
            job_id,
            model_version=model_of_job(session, job_id, model_version),
            label_set=label_set,
        )
    return load_frame(
        session,
        job_id,
        model_version=plan.origin.model_version,
        label_set=label_set,
        last_prediction_id=plan.origin.last_prediction_id,
    )


def _sample(session: Session, frame: JobFrame, plan: ReviewPlan | None) -> Sample:
    """Return what was known before the plan, and what people said of its images since."""
    known_mask = frame.decided_by(None if plan is None else plan.origin.last_correction_id)
    known = np.flatnonzero(known_mask)
    items = () if plan is None else plan.items
    places = frame.places_of([item.image_id for item in items]).tolist()
    answered = [
        (place, item)
        for place, item in zip(places, items, strict=True)
        if item.image_id in frame.said and place >= 0 and not known_mask[place]
    ]
    units = None if plan is None else frame.units_of(plan.design.unit)
    if plan is not None and units is not None:
        half = _half_reviewed(session, frame, plan, units)
        answered = [(place, item) for place, item in answered if units[place] not in half]
    reviewed = np.array([place for place, _ in answered], dtype=np.int64)
    probability = np.array([item.probability for _, item in answered])
    if plan is not None:
        certain = np.array([item.certain for _, item in answered], dtype=bool)
        seen = None if units is None else len(np.unique(units[reviewed]))
        probability = probability_so_far(probability, certain, plan.design, units=seen)
    return Sample(
        names=frame.answers.names,
        species=frame.answers.species,
        fish=frame.answers.fish,
        known=known,
        known_truth=frame.fish_said(known),
        reviewed=reviewed,
        reviewed_truth=frame.fish_said(reviewed),
        wrong=wrong_of(session, frame, reviewed),
        probability=probability,
        units=units,
        shares=frame.fish_boxed(),
    )


def _half_reviewed(session: Session, frame: JobFrame, plan: ReviewPlan, units: Codes) -> set[int]:
    """Return the days or trips of a plan with an image that nobody looked at yet: half a day stands for none."""
    done = frame.said.keys() | undecided_images(session, plan.export_id)
    left = frame.places_of([item.image_id for item in plan.items if item.image_id not in done])
    return set(units[left[left >= 0]].tolist())


def _answered(frame: JobFrame, plan: ReviewPlan) -> int:
    """Return how many images of a plan people decided on since it was drawn."""
    before = frame.decided_by(plan.origin.last_correction_id)
    places = frame.places_of([item.image_id for item in plan.items if item.image_id in frame.said])
    return int(np.count_nonzero(~before[places[places >= 0]]))


def _in_animals(sample: Sample, shares: AnimalShares) -> Sample:
    """Return the same review with animals in the place of fish."""
    return replace(
        sample,
        shares=shares.predicted,
        typical=shares.typical,
        known_truth=shares.said(sample.known),
        reviewed_truth=shares.said(sample.reviewed),
    )


def _undecided(session: Session, frame: JobFrame, plan: ReviewPlan | None) -> int:
    if plan is None:
        return 0
    unsure = undecided_images(session, plan.export_id)
    return sum(item.image_id in unsure and item.image_id not in frame.said for item in plan.items)


def _groups(frame: JobFrame, by: Sequence[Grouping]) -> tuple[Codes, list[tuple[str, ...]]]:
    """Return the group of each image, and the names of each group."""
    if not by:
        return np.zeros(len(frame), dtype=np.int64), [()]
    columns = np.stack([frame.codes_of(grouping) for grouping in by], axis=1)  # (N, by)
    rows, groups = np.unique(columns, axis=0, return_inverse=True)
    names = [tuple(frame.names_of[of][code] for of, code in zip(by, row, strict=True)) for row in rows.tolist()]
    return np.asarray(groups, dtype=np.int64).reshape(-1), names


def _species_told(frame: JobFrame, sample: Sample) -> tuple[str, ...]:
    """Return the species that the model or a person named in this job, in the order of the label set."""
    said = sample.known_truth.sum(axis=0) + sample.reviewed_truth.sum(axis=0)
    return tuple(
        name
        for place, name in enumerate(frame.answers.names)
        if name != NO_FISH and (said[place] > 0.0 or sample.predicted(name).any())
    )


def _figure(found: Figure, names: Sequence[tuple[str, ...]]) -> CatchFigure:
    return CatchFigure(
        group=names[found.group],
        figure=found.figure,
        images=found.images,
        decided=found.known + found.reviewed,
        reviewed=found.reviewed,
        model=found.model,
        said=found.said,
        estimate=found.estimate,
    )


def _missed(found: Missed, names: Sequence[tuple[str, ...]]) -> MissedFigure:
    return MissedFigure(names[found.group], found.unseen, found.reviewed, found.share)


def _contributions(frame: JobFrame, sample: Sample, name: str) -> tuple[tuple[str, float], ...]:
    shares = interval_by_group(sample, name, frame.answers.camera)
    order = np.argsort(-shares, kind="stable")[:_CAMERAS_TOLD].tolist()
    cameras = frame.names_of[Grouping.CAMERA]
    return tuple((cameras[code], float(shares[code])) for code in order if shares[code] > 0.0)


def _halve(frame: JobFrame, sample: Sample) -> int | None:
    free = len(frame) - len(sample.known)
    return more_to_halve(reviewed=len(sample.reviewed), images=free) if len(sample.reviewed) else None
