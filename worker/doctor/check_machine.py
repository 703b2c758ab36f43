"""Checks what lies around an installation: graphics cards, and what the workers said last."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from db.urls import without_passwords
from worker.delivery.devices import list_cards
from worker.doctor.checks import Check, CheckState

# Enough for the last day of a worker that complains, and quickly read.
_TAIL_BYTES = 256 * 2**10


def check_processor(version: Callable[[str], str | None]) -> Check:
    """Return what does the work: the cards where TensorFlow can use them, else the processor."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cards = list_cards()
    if not cards:
        return Check(
            "processor", CheckState.GOOD, f"{cores} cores, no graphics card found, the processor does the work"
        )
    found = f"{cores} cores, {len(cards)} graphics cards: {'; '.join(cards)}"
    if version("tensorflow-cpu"):
        to_do = "pip uninstall tensorflow-cpu; pip install 'tensorflow[and-cuda]'"
        return Check("processor", CheckState.ODD, f"{found}, but this TensorFlow uses the processor only", to_do)
    return Check("processor", CheckState.GOOD, found)


def check_worker_log(log_file: Path) -> Check:
    """Return whether the workers complained lately, with the last complaint; passwords in URLs are hidden."""
    try:
        with log_file.open("rb") as log:
            log.seek(max(0, log_file.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode("utf-8", "backslashreplace").splitlines()
    except FileNotFoundError:
        return Check("worker log", CheckState.GOOD, f"{log_file}: none yet")
    except OSError as error:
        return Check("worker log", CheckState.ODD, f"{log_file}: {error.strerror}", "let this user read it")
    complaints = [line for line in lines if re.search(r"\b(ERROR|CRITICAL)\b", line)]
    if not complaints:
        return Check("worker log", CheckState.GOOD, f"{log_file}: no errors lately")
    last = without_passwords(" ".join(complaints[-1].split())[:300])
    return Check("worker log", CheckState.ODD, f"{len(complaints)} errors lately, the last: {last}", f"see {log_file}")
