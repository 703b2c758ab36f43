"""Trains the network that follows animals; the newest one serves: the step of `cli train --events`."""

from __future__ import annotations

import time
from dataclasses import asdict

from db.migrate import open_database
from db.progress import StageProgress
from db.settings import get_settings
from worker.events.keep_follower import keep_follower
from worker.events.learn import LearnSettings, learn_follower
from worker.events.train_follower import FollowerSettings
from worker.steps.requests import TRAIN_EVENTS, TrainEventsRequest, TrainEventsResult
from worker.steps.step_process import serve_step


def train_events(request: TrainEventsRequest, progress: StageProgress) -> TrainEventsResult:
    """Return the new follower's id."""
    settings, plain, started = get_settings(), FollowerSettings(), time.monotonic()
    engine = open_database(settings.database)
    chosen = FollowerSettings(
        cell=request.cell or plain.cell,
        epochs=request.epochs or plain.epochs,
        seed=request.seed,
    )
    model = learn_follower(LearnSettings(follower=chosen), progress=progress)
    took_s = time.monotonic() - started
    card = {**asdict(chosen), "cell": str(chosen.cell), "train_seconds": round(took_s, 1)}
    follower = keep_follower(engine, settings, model, card=card)
    return TrainEventsResult(follower=follower, train_seconds=took_s)


if __name__ == "__main__":
    serve_step(TRAIN_EVENTS, train_events)
