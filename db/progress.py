"""How far long work is: the two ways in which anything tells it, and those that tell nobody."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total), in the same units; a total of 0 is not known yet."""

StageProgress = Callable[[str, int, int], None]
"""Called with (what is being done, done, total)."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


def no_stage_progress(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


def of_stage(progress: StageProgress, stage: str) -> Progress:
    """Return the progress of one stage.

    >>> of_stage(print, "crops")(1, 2)
    crops 1 2
    """
    return lambda done, total: progress(stage, done, total)
