"""Runs a step that needs the network library in a process of its own, and hears of it line by line.

The command line never imports TensorFlow: it calls `run_step(TRAIN, request, ...)`, which starts
`python -P -m worker.steps.train` in a working folder of its own, so the paths in a request are absolute. The request
goes in as one JSON document on stdin; events come back as JSON lines on stdout:
`{"stage": ..., "done": ..., "total": ...}` any number of times, then `{"result": {...}}` or `{"error": "one line"}`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import IO, Any

from db.errors import TaffrailError
from db.one_line import LOG_NAME, one_line
from db.progress import StageProgress
from db.settings import get_settings
from worker.delivery.own_process import WORKING_FOLDER, own_command, own_environment
from worker.steps.requests import Q, R, Step
from worker.steps.step_event import StepEvent, read_event

_SHOWN_LINES = 5


class StepError(TaffrailError):
    """A step ended without a result."""


def run_step(step: Step[Q, R], request: Q, *, progress: StageProgress) -> R:
    """Return the result of a step that runs in a process of its own; the process ends when we do.

    Raises:
        StepError: the step's own one-line error, or the last lines of a process that died.
    """
    process = subprocess.Popen(
        own_command(step.module),
        cwd=WORKING_FOLDER,
        env=own_environment(get_settings()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches us only, and we end it
    )
    assert process.stdin and process.stdout and process.stderr
    last_words: deque[str] = deque(maxlen=_SHOWN_LINES)
    listener = threading.Thread(target=_collect, args=(process.stderr, last_words), daemon=True)
    listener.start()
    try:
        process.stdin.write(request.as_json() + "\n")
        process.stdin.flush()  # stays open: its end tells the step that we are gone
        result = _hear(process.stdout, progress)
        process.wait()
    except BrokenPipeError:
        result = None
        process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        listener.join()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):  # what it never read is of no use to it any more
                pipe.close()
    if result is None:
        said = " | ".join(last_words) or "it said nothing"
        raise StepError(f"{step.module} ended with exit code {process.returncode}: {said}")
    return step.result.model_validate(result)


def serve_step(step: Step[Q, R], run: Callable[[Q, StageProgress], R]) -> None:
    """Be the process of a step: read the request, run it, tell its progress and its result or one-line error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an event
    request = step.request.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_caller, daemon=True).start()

    def tell(event: StepEvent) -> None:
        events.write(event.line())
        events.flush()

    try:
        result = run(request, lambda stage, done, total: tell(StepEvent(stage=stage, done=done, total=total)))
        tell(StepEvent(result=result.plain()))
    except Exception as error:
        tell(StepEvent(error=one_line(error, log_file=get_settings().home / LOG_NAME, doing=step.module)))


def _hear(events: IO[str], progress: StageProgress) -> dict[str, Any] | None:
    for line in events:
        event = read_event(line)
        if event is None:
            return None
        if event.error is not None:
            raise StepError(event.error)
        if event.result is not None:
            return event.result
        progress(event.stage or "", event.done, event.total)
    return None


def _collect(stream: IO[str], lines: deque[str]) -> None:
    for line in stream:
        if line.strip():
            lines.append(line.strip())


def _end_with_caller() -> None:
    while os.read(0, 1024):
        pass
    os._exit(130)
