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
from worker.models.recurrent import RecurrentCell
from worker.steps.step_process import Request, serve_step


def train_events(request: Request, progress: StageProgress) -> Request:
    """Return the new follower's id. request: cell, epochs (or None), seed."""
    settings, plain, started = get_settings(), FollowerSettings(), time.monotonic()
    engine = open_database(settings.database)
    chosen = FollowerSettings(
        cell=RecurrentCell(request.get("cell") or plain.cell),
        epochs=int(request.get("epochs") or plain.epochs),
        seed=int(request.get("seed") or 0),
    )
    model = learn_follower(LearnSettings(follower=chosen), progress=progress)
    took_s = time.monotonic() - started
    card = {**asdict(chosen), "cell": str(chosen.cell), "train_seconds": round(took_s, 1)}
    return {"follower": keep_follower(engine, settings, model, card=card), "train_seconds": took_s}


if __name__ == "__main__":
    serve_step(train_events)
