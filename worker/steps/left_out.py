"""What a step tells of the labelled images that it went on without or repaired."""

from __future__ import annotations

import os
from collections.abc import Iterable

from worker.images.labelled import SkippedFile
from worker.steps.requests import LeftOut
from worker.training.data.check_samples import Oddity


def told_of(files: Iterable[SkippedFile | Oddity]) -> LeftOut:
    """Return each file with what is to be said of it, as a step's result holds it."""
    return tuple((os.fsdecode(one.file), one.text) for one in files)
