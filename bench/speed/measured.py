"""Processor and wall time of what a block does, and the machine that did it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """What an image took. cpu_ms: of all of this process's threads; wall_ms: by the clock."""

    cpu_ms: float
    wall_ms: float


def cost_of(work: Callable[[], T], *, images: int) -> tuple[T, Cost]:
    """Return what the work returned, and what it took an image."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = work()
    cpu_ms = (time.process_time() - cpu_s) * 1000.0 / images
    return result, Cost(cpu_ms, (time.perf_counter() - wall_s) * 1000.0 / images)


def this_machine() -> dict[str, str | int | float]:
    """Return what a figure's reader wants to know of the machine; load: of the last minute, before the bench."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }
