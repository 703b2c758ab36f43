"""Runs the retraining that is due, if any: `python -m worker.retraining.retrain_due`, a child of the scheduler."""

from __future__ import annotations

import logging

from db.migrate import open_database
from db.progress import StageProgress
from db.settings import Settings, get_settings
from worker.retraining.rerank import work_off
from worker.retraining.retrain import RetrainOutcome, RetrainRequest
from worker.retraining.schedule import retrain_if_due
from worker.steps.requests import RETRAIN_DUE, DueRequest, DueResult
from worker.steps.step_process import serve_step

_log = logging.getLogger("taffrail.retrain")


def run_due(request: DueRequest, progress: StageProgress) -> DueResult:
    """Return what came of the retraining that is due, in words."""
    return DueResult(came=what_came(get_settings(), command=request.command))


def what_came(settings: Settings, *, command: str) -> str:
    """Return what came of the retraining that is due, one line; it is kept with the retraining, too.

    Raises:
        TaffrailError: as `worker.retraining.retrain.retrain`.
    """
    engine = open_database(settings.database)
    done = retrain_if_due(engine, settings, RetrainRequest(command=command), progress=lambda *_: None)  # nobody watches
    if done is None:
        return "nothing is due"
    if isinstance(done, RetrainOutcome) and done.kept is not None:
        work_off(engine, settings, done.kept.job_ids, tell=_log.warning)
    return f"{done.state}: {done.note}" if isinstance(done, RetrainOutcome) else done.reason


if __name__ == "__main__":
    serve_step(RETRAIN_DUE, run_due)
