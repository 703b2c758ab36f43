"""Progress on stderr: a bar with rate and time left, nothing where no one looks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.text import Text

from cli.shared.terminal import bar_stream


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = _speed(task)
        return Text(f"{speed:.0f} {self._unit}/s" if speed >= 10 else f"{speed:.1f} {self._unit}/s" if speed else "")


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed, left = _speed(task), task.remaining
        if not speed or left is None:
            return Text("-:--:--")
        return Text(str(timedelta(seconds=math.ceil(left / speed))))


def _speed(task: Task) -> float:
    """Return units a second: rich's own figure, and before it has one the mean since the work began.

    `began` of the task: what was done already then.
    """
    done = task.completed - task.fields.get("began", 0)
    return task.speed or (done / task.elapsed if task.elapsed and done > 0 else 0.0)


def progress_bar(unit: str, *, quiet: bool = False) -> Progress:
    """Return a bar for so many units; it draws nothing when stderr is no terminal."""
    console = Console(file=bar_stream())
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        _TimeLeft(),
        console=console,
        disable=quiet or not console.is_terminal,
    )


@contextmanager
def stage_bars(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A function to be called with (what is being done, done, total); each stage has a bar of its own."""
    with progress_bar("images or epochs", quiet=quiet) as bar:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield show
