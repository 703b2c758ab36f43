"""Checks what lies around an installation: graphics cards, and what the workers said last."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from db.domain.runtimes import Runtime
from db.urls import without_passwords
from worker.delivery.devices import list_cards
from worker.doctor.checks import Check, CheckState
from worker.storage.kept_features import usage

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


def check_runtime(version: Callable[[str], str | None], told: Runtime | None) -> Check:
    """Return what may run the networks here. told: by the setting, None where it names none."""
    openvino = version("openvino")
    install = "pip install 'taffrail-fish[openvino]'"
    if openvino is None and told is not None and told.needs_openvino:
        found = f"TAFFRAIL_RUNTIME is {told}, but openvino is not installed: keras serves"
        return Check("runtime", CheckState.ODD, found, install)
    if openvino is None:
        return Check("runtime", CheckState.GOOD, f"keras; {install} may halve the processor time of an image")
    serves = f"{told}, as TAFFRAIL_RUNTIME says" if told else "what cli models optimise chose, else keras"
    return Check("runtime", CheckState.GOOD, f"{serves}; openvino {openvino} is installed")


def check_kept_features(home: Path, *, limit_mib: int) -> Check:
    """Return how much of the features' room is taken; that they are kept is a choice."""
    held = usage(home)
    if limit_mib == 0:
        left = f"; {held.mib:.0f} MiB of before are left" if held.images else ""
        to_do = "cli delete features" if held.images else ""
        return Check("features", CheckState.ODD if held.images else CheckState.GOOD, f"none are kept{left}", to_do)
    return Check("features", CheckState.GOOD, f"of {held.images} images, {held.mib:.0f} of {limit_mib} MiB")


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
