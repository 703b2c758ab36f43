"""Makes a job's review plan: how many images for a target, which ones, and the folder that shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from annotator.catch.design import PlanRequest, design_for, of_size, whole_units
from annotator.catch.frame import (
    JobFrame,
    PlanError,
    confusion_of,
    load_frame,
    model_of_job,
    share_of_wrong_species,
)
from annotator.errors import ExportError
from annotator.export.export_flagged import ReviewExportOptions, items_of, write_recorded
from annotator.export.select import Chosen
from annotator.export.write import WrittenExport
from annotator.plans import make
from annotator.plans.draw import Codes
from annotator.plans.expected import Aims, Answers, scores_for
from annotator.plans.forecast import (
    every_nth,
    forecast_missed,
    forecast_total,
    sizes_to_show,
)
from annotator.plans.pace import Pace, pace_of
from db.domain.catch import Grouping
from db.domain.estimates import Estimate
from db.domain.jobs import JobState
from db.domain.plans import PlanDesign, PlanItem, PlanOrigin, PlanUnit, Target
from db.domain.species import NO_FISH, LabelSet
from db.session import reading
from db.store.catch import review_moments
from db.store.error_probabilities import refresh_error_probabilities
from db.store.jobs import get_job
from db.store.plans import newest_ids, record_plan
from db.store.review_queue import load_candidates


@dataclass(frozen=True)
class Expected:
    """What a plan of some images is expected to tell. totals: by species; missed: wrong among what nobody looks at."""

    images: int
    totals: dict[str, Estimate]
    missed: Estimate


@dataclass(frozen=True)
class Proposal:
    """A plan before anyone looks. free: images that could be chosen; decided: people have decided on these before.

    by_camera: how many images of each. curve: what fewer and more images are expected to tell.
    """

    frame: JobFrame
    origin: PlanOrigin
    design: PlanDesign
    targets: tuple[Target, ...]
    places: Codes
    chosen: make.Chosen
    free: int
    decided: int
    by_camera: dict[str, int]
    expected: Expected
    curve: tuple[Expected, ...]
    pace: Pace


def propose_plan(engine: Engine, job_id: int, request: PlanRequest, *, label_set: LabelSet) -> Proposal:
    """Return the plan of a job for a request; nothing is stored yet.

    Raises:
        NotFoundError: no such job. UnknownSpecies: a target names none.
        PlanError: the job still runs, has no answers, everything is decided, or the target is out of reach.
    """
    with reading(engine) as session:
        _check_done(session, job_id)
        model_version = model_of_job(session, job_id, request.model_version)
    refresh_error_probabilities(engine, model_version)
    with reading(engine) as session:
        frame = load_frame(session, job_id, model_version=model_version, label_set=label_set)
        newest = newest_ids(session)
        pace = pace_of(review_moments(session))
    _check_species(request.targets, frame.answers.names)
    places = np.flatnonzero(~frame.decided_by(None))
    if not len(places):
        raise PlanError(f"job {job_id}: people have decided on all {len(frame)} images; cli summary {job_id} tells all")
    return _proposal(frame, places, request, newest=newest, pace=pace)


def write_plan(engine: Engine, out: Path, proposal: Proposal, options: ReviewExportOptions) -> WrittenExport:
    """Return the folder written with the plan's images; plan and export are recorded together, or neither.

    Raises:
        ExportError: the folder cannot be written.
    """
    frame, chosen = proposal.frame, proposal.chosen
    predictions = frame.prediction_id[proposal.places[chosen.places]].tolist()
    with reading(engine) as session:
        candidates = load_candidates(session, predictions)
    shown = [Chosen(key, not certain) for key, certain in zip(predictions, chosen.certain.tolist(), strict=True)]
    items = items_of(shown, candidates, options)
    if not items:
        raise ExportError(f"job {frame.job_id}: none of the plan's images lies where it was enqueued")

    def record(session: Session, written: WrittenExport) -> None:
        held = {one.item.image_id for one in written.items}
        in_folder = [item for item in plan_items(proposal) if item.image_id in held]
        record_plan(session, proposal.origin, proposal.design, in_folder, export_id=written.export_id)

    return write_recorded(out, items, options, engine=engine, model_version=frame.model_version, record_more=record)


def plan_items(proposal: Proposal) -> list[PlanItem]:
    """Return the images of a plan as the store keeps them."""
    frame, chosen = proposal.frame, proposal.chosen
    cameras, days = frame.names_of[Grouping.CAMERA], frame.names_of[Grouping.DAY]
    found = []
    for place, probability, certain in zip(
        proposal.places[chosen.places].tolist(), chosen.probability.tolist(), chosen.certain.tolist(), strict=True
    ):
        day = days[frame.answers.day[place]]
        found.append(
            PlanItem(
                image_id=int(frame.image_id[place]),
                prediction_id=int(frame.prediction_id[place]),
                probability=probability,
                certain=certain,
                camera=cameras[frame.answers.camera[place]],
                day=day if day[:1].isdigit() else None,
            )
        )
    return found


def _check_done(session: Session, job_id: int) -> None:
    job = get_job(session, job_id)
    if job.counts.state is JobState.RUNNING:
        waiting = job.counts.pending
        raise PlanError(
            f"job {job_id}: {waiting} of {job.counts.total} images have no answer yet, and a plan drawn now could "
            f"choose none of them; wait for it (cli status {job_id} --watch)"
        )


def _check_species(targets: Sequence[Target], names: tuple[str, ...]) -> None:
    known = LabelSet(names)
    for target in targets:
        if not target.is_missed and target.figure not in known.fish:
            known.index(target.figure)
            raise PlanError(f"target {target}: {NO_FISH} is no fish, so it has no total")


def _proposal(frame: JobFrame, places: Codes, request: PlanRequest, *, newest: tuple[int, int], pace: Pace) -> Proposal:
    answers, confusion = frame.answers.only(places), confusion_of(frame)
    by_species = replace(answers, error_probability=answers.error_probability * share_of_wrong_species(frame))
    scores = scores_for(by_species, confusion, _aims(answers, request.targets))
    if request.unit is PlanUnit.IMAGE:
        design = design_for(
            by_species, confusion, scores, request, error_probability=answers.error_probability, pace=pace
        )
        strata = answers.camera * (int(answers.day.max()) + 1) + answers.day
        chosen = make.make_plan(answers.error_probability, scores, strata, design)
    else:
        design, chosen = whole_units(frame, places, scores, request, pace=pace)
    shown = tuple(dict.fromkeys(one.figure for one in request.targets if not one.is_missed)) or _common(answers)

    few, each = every_nth(scores)
    few_answers, few_scores, few_errors = by_species.only(few), scores[few], answers.error_probability[few]

    def expected(of: PlanDesign) -> Expected:
        certain, drawn = (round(size / len(places) * len(few)) for size in (of.certain, of.drawn))
        thinned = PlanDesign(of.seed, certain, min(max(drawn, 1), len(few) - certain), of.floor_share)
        probabilities = make.probabilities_of(few_errors, few_scores, thinned)
        totals = {name: forecast_total(few_answers, confusion, probabilities, name, each=each) for name in shown}
        return Expected(of.images, totals, forecast_missed(few_errors, probabilities, each=each))

    sizes = sizes_to_show(design.images, most=len(places))
    cameras = Counter(answers.camera[chosen.places].tolist())
    return Proposal(
        frame=frame,
        origin=PlanOrigin(
            model_version=frame.model_version,
            job_id=frame.job_id,
            target=", ".join(map(str, request.targets)),
            images=len(places),
            last_prediction_id=newest[0],
            last_correction_id=newest[1],
        ),
        design=design,
        targets=request.targets,
        places=places,
        chosen=chosen,
        free=len(places),
        decided=len(frame) - len(places),
        by_camera={frame.names_of[Grouping.CAMERA][code]: count for code, count in cameras.most_common()},
        expected=expected(design),
        curve=tuple(expected(of_size(design, size, of=len(places))) for size in sizes),
        pace=pace,
    )


def _aims(answers: Answers, targets: Sequence[Target]) -> Aims:
    """Return what the draw is for: the targets, or without one everything that is often enough."""
    species = tuple(one.figure for one in targets if not one.is_missed)
    missed = any(one.is_missed for one in targets)
    return Aims(species, missed) if targets else Aims(_common(answers), missed=True)


def _common(answers: Answers) -> tuple[str, ...]:
    """Return the species that the model names at all, the commonest first."""
    counts = np.bincount(answers.species, weights=answers.fish, minlength=len(answers.names))
    order = np.argsort(-counts, kind="stable").tolist()
    return tuple(answers.names[place] for place in order if counts[place] > 0.0 and answers.names[place] != NO_FISH)
