"""Makes a job's review plan: how many images for a target, which ones, and the folder that shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.orm import Session

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
from annotator.plans.draw import Codes, Floats
from annotator.plans.expected import Aims, Answers, Confusion, scores_for
from annotator.plans.forecast import (
    drawn_for_total,
    every_nth,
    forecast_missed,
    forecast_total,
    images_for_missed,
    sizes_to_show,
)
from annotator.plans.pace import Pace, pace_of
from db.domain.catch import Grouping
from db.domain.estimates import Estimate
from db.domain.jobs import JobState
from db.domain.plans import FLOOR_SHARE, MISSED, PlanDesign, PlanItem, PlanOrigin, Target
from db.domain.species import NO_FISH, LabelSet
from db.session import reading
from db.store.catch import review_moments
from db.store.error_probabilities import refresh_error_probabilities
from db.store.jobs import get_job
from db.store.plans import newest_ids, record_plan
from db.store.review_queue import load_candidates

# Of a plan with a budget: the likeliest wrong teach the model most, the others carry the figures.
CERTAIN_SHARE = 0.1
# Of the sizes in a curve: with hardly an image drawn by chance nothing would be known of the others.
_MOST_CERTAIN = 0.8


@dataclass(frozen=True)
class PlanRequest:
    """What a plan is to do: reach targets, or spend a budget of images or hours; one of the three is given.

    certain_share: of a budget, the part that goes to the likeliest wrong for certain.
    """

    targets: tuple[Target, ...] = ()
    images: int | None = None
    hours: float | None = None
    certain_share: float = CERTAIN_SHARE
    floor_share: float = FLOOR_SHARE
    model_version: str | None = None
    seed: int = 0


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
    design = _design(by_species, confusion, scores, request, error_probability=answers.error_probability, pace=pace)
    strata = answers.camera * (int(answers.day.max()) + 1) + answers.day
    chosen = make.make_plan(answers.error_probability, scores, strata, design)
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
        curve=tuple(expected(_of_size(design, size, of=len(places))) for size in sizes),
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


def _design(
    answers: Answers,
    confusion: Confusion,
    scores: Floats,
    request: PlanRequest,
    *,
    error_probability: Floats,
    pace: Pace,
) -> PlanDesign:
    """Return the design for a request. answers: with the probability that the species is wrong."""
    count = len(answers)
    if not request.targets:
        asked = request.images if request.images is not None else pace.images(request.hours or 0.0)
        images = min(asked, count)
        if images < 1:
            raise PlanError(f"{request.hours} hours are less than one image, which takes about {pace.seconds:.0f} s")
        return _split(images, request.certain_share, of=count, seed=request.seed, floor_share=request.floor_share)
    certain, drawn = _for_missed(error_probability, request.targets)
    rest = np.argsort(-error_probability, kind="stable")[certain:]
    for target in request.targets:
        if not target.is_missed and len(rest):
            size = drawn_for_total(
                answers.only(rest), confusion, scores[rest], target, floor_share=request.floor_share, most=len(rest)
            )
            drawn = max(drawn, len(rest) if size is None else size)
    return PlanDesign(request.seed, certain, min(drawn, len(rest)), _floor(request))


def _for_missed(error_probability: Floats, targets: Sequence[Target]) -> tuple[int, int]:
    """Return how many images the miss rates asked for take, for certain and by chance."""
    falling = np.sort(error_probability)[::-1]
    certain, drawn = 0, 1
    for target in targets:
        if target.is_missed:
            found = images_for_missed(falling, target) or (len(falling), 0)
            certain, drawn = max(certain, found[0]), max(drawn, found[1])
    return certain, drawn


def _floor(request: PlanRequest) -> float:
    """A miss rate alone is shown best by images drawn alike: error probabilities say least where they are low."""
    only_missed = all(target.figure == MISSED for target in request.targets)
    return 1.0 if only_missed else request.floor_share


def _of_size(design: PlanDesign, images: int, *, of: int) -> PlanDesign:
    share = min(design.certain / max(design.images, 1), _MOST_CERTAIN)
    return _split(images, share, of=of, seed=design.seed, floor_share=design.floor_share)


def _split(images: int, certain_share: float, *, of: int, seed: int, floor_share: float) -> PlanDesign:
    """Return the design of a plan of some images; at least one is drawn, or nothing would stand for the others."""
    certain = min(round(images * certain_share), images if images == of else images - 1)
    return PlanDesign(seed, certain, images - certain, floor_share)
