"""Finds the events of a job and stores them: the step of `cli events find`."""

from __future__ import annotations

from collections.abc import Iterator

from db.domain.results import ImageResult
from db.migrate import open_database
from db.progress import StageProgress
from db.session import reading, transaction
from db.settings import get_settings
from db.store.events import replace_events
from db.store.jobs import get_job
from db.store.results import iterate_results
from worker.events.find_in_job import find_events
from worker.events.keep_follower import serving_follower
from worker.steps.requests import FIND_EVENTS, FindEventsRequest, FindEventsResult
from worker.steps.step_process import serve_step


def find(request: FindEventsRequest, progress: StageProgress) -> FindEventsResult:
    """Return how many events were found, and what was odd.

    Raises:
        NotFoundError: no such job. FollowerError: the follower's file is not the registered one.
    """
    settings, job_id = get_settings(), request.job
    engine = open_database(settings.database)
    with reading(engine) as session:
        total = get_job(session, job_id).counts.total
    serving = None if request.alone else serving_follower(engine, settings)

    def counted() -> Iterator[ImageResult]:
        for number, result in enumerate(iterate_results(engine, job_id), start=1):
            yield result
            if number % 100 == 0 or number == total:
                progress("reading detections", number, total)

    found = find_events(
        counted(),
        serving[1] if serving else None,
        settings=settings,
        interval_s=request.interval_s,
        progress=progress,
    )
    with transaction(engine) as session:
        replace_events(session, job_id, found.events, follower=serving[0] if serving else None)
    return FindEventsResult(
        events=len(found.events),
        images=found.images,
        follower=serving[0] if serving else None,
        notes=tuple(found.notes),
    )


if __name__ == "__main__":
    serve_step(FIND_EVENTS, find)
