"""A step that ends as its request says: `python -m tests.odd_step`."""

from __future__ import annotations

import errno
import os

from db.errors import TaffrailError
from db.progress import StageProgress
from worker.steps.requests import Step, StepValue
from worker.steps.step_process import serve_step


class OddValue(StepValue):
    """How the step is to end, and how it did."""

    end: str


ODD = Step("tests.odd_step", OddValue, OddValue)


def odd_step(request: OddValue, progress: StageProgress) -> OddValue:
    """Return a result after some progress and a library's noise, or end in the way that was asked for."""
    print("a library talks")
    progress("work", 1, 2)
    match request.end:
        case "error":
            raise TaffrailError("model.keras: torn")
        case "full disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case "bug":
            raise ValueError("a bug")
        case "killed":
            os.abort()
    return request


if __name__ == "__main__":
    serve_step(ODD, odd_step)
