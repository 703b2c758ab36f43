"""Trains the network that follows animals, and tells what it is worth: the step of `cli train --events`."""

from __future__ import annotations

import time
from dataclasses import asdict

from db.migrate import open_database
from db.settings import get_settings
from worker.events.compare_counts import ComparedCounts, compare_counts
from worker.events.follow import NetworkFollower
from worker.events.keep_follower import FollowerError, keep_follower, serving_follower
from worker.events.learn import LearnSettings, learn_follower
from worker.events.train_follower import FollowerSettings
from worker.models.recurrent import RecurrentCell
from worker.steps.step_process import Request, StepProgress, serve_step


def train_events(request: Request, progress: StepProgress) -> Request:
    """Return the new follower's id and its figures on cameras that it did not learn from.

    request: cell, epochs (or None), seed; evaluate: only tell the figures of the follower that serves.
    Raises:
        FollowerError: there is no follower to evaluate.
    """
    settings = get_settings()
    engine = open_database(settings.database)
    if request.get("evaluate"):
        serving = serving_follower(engine, settings)
        if serving is None:
            raise FollowerError("no follower yet; `cli train --events` makes one")
        follower_id, follower = serving
        return {"follower": follower_id, "rates": _figures(compare_counts(follower, progress=progress))}
    plain, started = FollowerSettings(), time.monotonic()
    chosen = FollowerSettings(
        cell=RecurrentCell(request.get("cell") or plain.cell),
        epochs=int(request.get("epochs") or plain.epochs),
        seed=int(request.get("seed") or 0),
    )
    model = learn_follower(LearnSettings(follower=chosen), progress=progress)
    took_s = time.monotonic() - started
    rates = _figures(compare_counts(NetworkFollower(model), progress=progress))
    card = {**asdict(chosen), "cell": str(chosen.cell), "train_seconds": round(took_s, 1), "rates": rates}
    return {"follower": keep_follower(engine, settings, model, card=card), "train_seconds": took_s, "rates": rates}


def _figures(found: list[ComparedCounts]) -> list[dict[str, object]]:
    return [asdict(one) for one in found]


if __name__ == "__main__":
    serve_step(train_events)
