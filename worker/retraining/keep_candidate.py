"""Keeps an evaluated candidate: its card, its row and what the gate said; it serves at once where the gate lets it."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from db.domain.cards import plain_card
from db.domain.datasets import Dataset
from db.domain.model_versions import ModelCard
from db.domain.retrainings import HeldRetraining, RetrainingState
from db.domain.train_recipe import BootstrapRecord, GateRecord
from db.errors import DatabaseError
from db.session import reading, transaction
from db.settings import Settings
from db.store.model_versions import get_champion, is_registered, promote, register_model
from db.store.retrainings import end_retraining
from db.whole_files import move_whole
from worker.models.errors import ModelFileError
from worker.retraining.gate import GateAnswers, GateDecision, figures
from worker.retraining.lease import LeaseLost
from worker.retraining.rerank import ask_flagged
from worker.storage.artifacts import publish_model
from worker.storage.model_files import BundleHashes, model_folder, read_card, write_card


@dataclass(frozen=True)
class Candidate:
    """A trained and evaluated model, not yet registered: its folder lies in work_dir. champion_id: evaluated against
    it.
    """

    model_id: str
    work_dir: Path
    hashes: BundleHashes
    champion_id: str
    dataset: Dataset


@dataclass(frozen=True)
class Kept:
    """A registered candidate. figures: by name, of its final answers and the champion's on the same images.

    job_ids: the jobs whose flagged images wait to be ranked anew by it.
    """

    model_id: str
    state: RetrainingState
    note: str
    champion_id: str
    figures: dict[str, float]
    champion_figures: dict[str, float]
    job_ids: tuple[int, ...] = ()


def keep_candidate(
    engine: Engine,
    settings: Settings,
    held: HeldRetraining,
    candidate: Candidate,
    evaluated: GateAnswers,
    verdict: GateDecision,
) -> Kept:
    """Return the registered candidate; its files lie in their place before its row does.

    Raises:
        LeaseLost: another process took the retraining over. ModelFileError: the files cannot be moved.
    """
    card = _evaluated_card(read_card(candidate.work_dir, candidate.model_id), candidate, evaluated, verdict)
    folder = model_folder(settings.models_dir, candidate.model_id)
    try:
        write_card(candidate.work_dir, candidate.model_id, card, hashes=candidate.hashes)
        move_whole(candidate.work_dir / candidate.model_id, folder)
    except OSError as error:
        raise ModelFileError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        publish_model(settings, candidate.model_id)
        with transaction(engine) as session:
            serving = get_champion(session)
            unchanged = serving is not None and serving.model_id == candidate.champion_id
            note = verdict.reason
            if verdict.promoted and not unchanged:
                note = f"the champion was changed while this one was evaluated against {candidate.champion_id}; {note}"
            register_model(
                session,
                candidate.model_id,
                sha256=candidate.hashes.sha256,
                crops_sha256=candidate.hashes.crops_sha256,
                card=plain_card(card),
                note=note,
                dataset_id=candidate.dataset.dataset_id,
            )
            state, job_ids = RetrainingState.KEPT, []
            if verdict.promoted and unchanged:
                former = promote(session, candidate.model_id, reason=note, forced=False)
                job_ids = ask_flagged(session, settings, former=former)
                state = RetrainingState.PROMOTED
            dataset_id = candidate.dataset.dataset_id
            if not end_retraining(session, held, state, note=note, dataset_id=dataset_id, model_id=candidate.model_id):
                raise LeaseLost("another process took this retraining over; nothing was registered")
    except BaseException:
        _remove_unregistered(engine, candidate.model_id, folder)
        raise
    return Kept(
        candidate.model_id,
        state,
        note,
        candidate.champion_id,
        figures(evaluated.truth, evaluated.candidate),
        figures(evaluated.truth, evaluated.champion),
        tuple(job_ids),
    )


def _remove_unregistered(engine: Engine, model_id: str, folder: Path) -> None:
    """Remove files that have no row: they are of no use to anyone.

    A commit whose answer was lost may have made the row all the same, so the registry is asked; where it does not
    answer the files stay, for a champion without its file would be worse.
    """
    with contextlib.suppress(DatabaseError), reading(engine) as session:
        if not is_registered(session, model_id):
            shutil.rmtree(folder, ignore_errors=True)


def _evaluated_card(card: ModelCard, candidate: Candidate, evaluated: GateAnswers, verdict: GateDecision) -> ModelCard:
    """Return the card with the figures of the final answers, and what the gate was told and said."""
    gate = GateRecord(
        promoted=verdict.promoted,
        champion=candidate.champion_id,
        objections=verdict.objections,
        bootstrap=BootstrapRecord(**asdict(verdict.bootstrap)),
        champion_figures=figures(evaluated.truth, evaluated.champion),
    )
    return replace(
        card,
        metrics={**card.metrics, **figures(evaluated.truth, evaluated.candidate)},
        metrics_by={**card.metrics_by, **_by_group(evaluated)},
        gate=gate,
    )


def _by_group(evaluated: GateAnswers) -> dict[str, dict[str, dict[str, float]]]:
    """Return the candidate's figures by species and by camera, with the champion's beside them."""
    cameras, called = np.array(evaluated.cameras), evaluated.candidate.argmax(axis=1)
    before = evaluated.champion.argmax(axis=1)
    species = {
        evaluated.species[place]: {
            "images": float(np.sum(evaluated.truth == place)),
            "recall": float(np.mean(called[evaluated.truth == place] == place)),
            "champion_recall": float(np.mean(before[evaluated.truth == place] == place)),
        }
        for place in np.unique(evaluated.truth)
    }
    camera = {}
    for name in np.unique(cameras):
        mine = cameras == name
        ours = figures(evaluated.truth[mine], evaluated.candidate[mine])
        theirs = figures(evaluated.truth[mine], evaluated.champion[mine])
        camera[str(name)] = {
            "images": ours["images"],
            "accuracy": ours["accuracy"],
            "log_loss": ours["log_loss"],
            "champion_accuracy": theirs["accuracy"],
            "champion_log_loss": theirs["log_loss"],
        }
    return {"species": species, "camera": camera}
