"""One retraining: data set, training, candidate and champion evaluated on the same images, the gate.

It runs in whatever process asks for it and needs no network library there: training and evaluation are steps in
processes of their own. Whatever goes wrong, the champion stays as it is.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine

from db.domain.datasets import Dataset
from db.domain.retrainings import HeldRetraining, Occupied, RetrainingState, Slot
from db.domain.species import LabelSet
from db.errors import DatabaseError, NotFoundError, TaffrailError
from db.progress import StageProgress
from db.session import reading, transaction
from db.settings import Settings
from db.store.model_versions import ModelVersion, get_champion, models_of_dataset
from db.store.retrainings import begin_retraining, end_retraining
from db.store.species import project_settings
from db.store.sql import database_now_s
from worker.models.names import Balance, Parts, SecondStageChoice
from worker.retraining.gate import GateAnswers, decide, rule_of
from worker.retraining.keep_candidate import Candidate, Kept, keep_candidate
from worker.retraining.lease import LEASE_S, Lease, LeaseLost, died_here, this_holder
from worker.steps.requests import (
    ANSWER_HELD_OUT,
    FIT_CANDIDATE,
    AnswerRequest,
    FitRequest,
    FitResult,
    Q,
    R,
    Step,
)
from worker.steps.step_process import run_step
from worker.storage.artifacts import held_model
from worker.storage.model_files import BundleHashes, new_model_id
from worker.training.data.snapshot import refuse_unevaluable, take_snapshot

# More images make the bootstrap hardly surer, and each costs a trunk pass of either model.
EVALUATED_AT_MOST = 4_000
_WORK_PREFIX = ".retraining-"


class Steps(Protocol):
    """Runs a step; `run_step` does it in a process of its own."""

    def __call__(self, step: Step[Q, R], request: Q, *, progress: StageProgress) -> R:
        """Return the step's result."""


@dataclass(frozen=True)
class RetrainRequest:
    """What is asked of a retraining. why: for people; slot: of a scheduled one.

    None for the champion's way: parts, `heads`, `crops` or `both`; of the crop classifier second_stage, `frozen` or
    `finetune`, balance, `none`, `root` or `full`; by_sampling. epochs: instead of each head's own recipe. again: also
    where nothing is new. command: for the card.
    """

    why: str = "by hand"
    slot: Slot | None = None
    parts: Parts | None = None
    second_stage: SecondStageChoice | None = None
    balance: Balance | None = None
    by_sampling: bool | None = None
    seed: int = 0
    epochs: int | None = None
    again: bool = False
    command: str = ""


@dataclass(frozen=True)
class RetrainOutcome:
    """What came of a retraining. note: one line. kept: the registered candidate, None where there is none.

    unreadable: images that training went on without, with the reason. second_stage_missing: why the candidate has
    none, '' where it has one or none was asked for.
    """

    state: RetrainingState
    note: str
    dataset: Dataset
    kept: Kept | None = None
    unreadable: tuple[tuple[str, str], ...] = ()
    second_stage_missing: str = ""


@dataclass
class _Run:
    """What the parts of one retraining share."""

    engine: Engine
    settings: Settings
    ask: RetrainRequest
    steps: Steps
    progress: StageProgress
    lease: Lease
    work_dir: Path
    candidate_id: str = field(default_factory=new_model_id)


def retrain(
    engine: Engine, settings: Settings, ask: RetrainRequest, *, progress: StageProgress, steps: Steps = run_step
) -> RetrainOutcome | Occupied:
    """Return what came of a retraining, or why it did not begin.

    Raises:
        TaffrailError: one line that says what is missing; it is kept with the retraining, the champion is untouched.
    """
    settings = project_settings(engine, settings)
    with transaction(engine) as session:
        held = begin_retraining(
            session,
            why=ask.why,
            holder=this_holder(),
            now_s=database_now_s(session),
            lease_s=LEASE_S,
            slot=ask.slot,
            is_dead=died_here,
        )
    if isinstance(held, Occupied):
        return held
    with _failures_kept(engine, held), _work_dir(settings, held) as work_dir, Lease(engine, held) as lease:
        return _retrain(_Run(engine, settings, ask, steps, progress, lease, work_dir), held)


def _retrain(run: _Run, held: HeldRetraining) -> RetrainOutcome:
    with reading(run.engine) as session:
        serving = get_champion(session)
        if serving is None:
            raise NotFoundError("there is no model yet to be better than; `cli train` makes the first one")
    held_model(run.settings, serving)
    with transaction(run.engine) as session:
        dataset = take_snapshot(session, run.settings, champion=serving, pseudo_labels=True)
        earlier = models_of_dataset(session, dataset.dataset_id)
    refuse_unevaluable(dataset)
    if earlier and not run.ask.again:
        note = f"nothing new was said since model {earlier[-1]} learnt from the same data set"
        with transaction(run.engine) as session:
            end_retraining(session, held, RetrainingState.NOTHING_NEW, note=note, dataset_id=dataset.dataset_id)
        return RetrainOutcome(RetrainingState.NOTHING_NEW, note, dataset)
    fitted = _fit(run, dataset, serving)
    run.lease.check()
    hashes = BundleHashes(fitted.sha256, fitted.crops_sha256)
    evaluated = _answers_of_both(run, dataset, serving, hashes)
    verdict = decide(evaluated, rule_of(run.settings))
    run.lease.check()
    candidate = Candidate(run.candidate_id, run.work_dir, hashes, serving.model_id, dataset)
    kept = keep_candidate(run.engine, run.settings, held, candidate, evaluated, verdict)
    return RetrainOutcome(kept.state, kept.note, dataset, kept, fitted.unreadable, fitted.second_stage_missing)


def _fit(run: _Run, dataset: Dataset, serving: ModelVersion) -> FitResult:
    request = FitRequest(
        dataset=dataset.dataset_id,
        parent=serving.model_id,
        model=run.candidate_id,
        into=run.work_dir,
        parts=run.ask.parts,
        second_stage=run.ask.second_stage,
        balance=run.ask.balance,
        by_sampling=run.ask.by_sampling,
        seed=run.ask.seed,
        epochs=run.ask.epochs,
        command=run.ask.command,
    )
    return run.steps(FIT_CANDIDATE, request, progress=run.progress)


def _answers_of_both(run: _Run, dataset: Dataset, serving: ModelVersion, hashes: BundleHashes) -> GateAnswers:
    """Return both models' final answers to the held-out images that both could read."""
    held = BundleHashes(serving.sha256, serving.crops_sha256)
    champion = _answers(run, dataset, serving.model_id, held, run.settings.models_dir)
    run.lease.check()
    candidate = _answers(run, dataset, run.candidate_id, hashes, run.work_dir)
    entries = [entry for entry in dataset.entries if entry.place.sha256 in champion and entry.place.sha256 in candidate]
    if not entries:
        raise TaffrailError(f"none of the images of {', '.join(dataset.held_out_cameras)} can be read to evaluate by")
    species = run.settings.label_set.names
    return GateAnswers(
        species=species,
        truth=np.array([species.index(entry.label.species) for entry in entries], dtype=np.int64),
        cameras=[entry.place.camera for entry in entries],
        champion=np.stack([champion[entry.place.sha256] for entry in entries]),
        candidate=np.stack([candidate[entry.place.sha256] for entry in entries]),
        champion_saw=_was_fitted_to_everything(serving),
    )


def _was_fitted_to_everything(version: ModelVersion) -> bool:
    return version.card.recipe.final_fit


def _answers(
    run: _Run, dataset: Dataset, model_id: str, hashes: BundleHashes, models_dir: Path
) -> dict[str, npt.NDArray[np.float64]]:
    file = run.work_dir / f"answers-{model_id}.npz"
    request = AnswerRequest(
        models_dir=models_dir,
        model=model_id,
        sha256=hashes.sha256,
        crops_sha256=hashes.crops_sha256,
        dataset=dataset.dataset_id,
        at_most=EVALUATED_AT_MOST,
        answers=file,
    )
    run.steps(ANSWER_HELD_OUT, request, progress=run.progress)
    with np.load(file, allow_pickle=False) as found:
        species = [str(name) for name in found["species"]]
        answers = _on_axis(found["probabilities"], species, run.settings.label_set)
        return dict(zip((str(name) for name in found["sha256s"]), answers, strict=True))


def _on_axis(
    probabilities: npt.NDArray[np.float64], names: Sequence[str], label_set: LabelSet
) -> npt.NDArray[np.float64]:
    """Return distributions over another label set: what a model does not know it holds impossible.

    Species that were renamed or made one since are taken by the names that they have now.
    """
    found = np.zeros((len(probabilities), len(label_set)))
    for place, name in enumerate(names):
        if (known := label_set.named(name)) is not None:
            found[:, label_set.index(known)] += probabilities[:, place]
    return found


@contextlib.contextmanager
def _failures_kept(engine: Engine, held: HeldRetraining) -> Iterator[None]:
    """Write down why a retraining ended without a candidate, and let the error go on."""
    try:
        yield
    except LeaseLost:
        raise
    except TaffrailError as error:
        _end(engine, held, RetrainingState.FAILED, str(error))
        raise
    except Exception as error:
        _end(engine, held, RetrainingState.FAILED, f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        _end(engine, held, RetrainingState.STOPPED, "stopped by hand or by a signal")
        raise


def _end(engine: Engine, held: HeldRetraining, state: RetrainingState, note: str) -> None:
    # The lease ends what cannot be told now; the error itself must reach the user.
    with contextlib.suppress(DatabaseError), transaction(engine) as session:
        end_retraining(session, held, state, note=note)


@contextlib.contextmanager
def _work_dir(settings: Settings, held: HeldRetraining) -> Iterator[Path]:
    """A folder beside the models, so that a candidate is moved to its place in one step; earlier ones are swept."""
    folder = settings.models_dir / f"{_WORK_PREFIX}{held.retraining_id}"
    for left_over in settings.models_dir.glob(f"{_WORK_PREFIX}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise TaffrailError(f"{folder}: cannot be made ({error.strerror})") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
