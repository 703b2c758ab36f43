"""Tells what the serving network that follows animals is worth: the step of `cli evaluate --events`."""

from __future__ import annotations

from db.migrate import open_database
from db.progress import StageProgress
from db.settings import get_settings
from worker.events.compare_counts import compare_counts
from worker.events.keep_follower import FollowerError, serving_follower
from worker.steps.requests import EVALUATE_EVENTS, EvaluateEventsRequest, EvaluateEventsResult
from worker.steps.step_process import serve_step


def evaluate_events(_request: EvaluateEventsRequest, progress: StageProgress) -> EvaluateEventsResult:
    """Return the figures of the follower that serves, beside simpler counts, at several rates of images.

    Raises:
        FollowerError: there is none, or its file is not the registered one.
    """
    settings = get_settings()
    serving = serving_follower(open_database(settings.database), settings)
    if serving is None:
        raise FollowerError("no follower yet; cli train --events makes one")
    follower_id, follower = serving
    return EvaluateEventsResult(follower=follower_id, rates=tuple(compare_counts(follower, progress=progress)))


if __name__ == "__main__":
    serve_step(EVALUATE_EVENTS, evaluate_events)
