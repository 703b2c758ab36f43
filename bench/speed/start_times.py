"""How long `cli --help` and `cli status` take, from the shell and back."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

from bench.speed.site import median, show_table, thrown_away

_RUNS = 7
_WANTED_S = {"--help": 0.4, "status": 0.8}


def main() -> int:
    """Print the medians; return 1 where one is too long."""
    with thrown_away("sqlite") as (settings, _):
        environment = {**os.environ, "TAFFRAIL_HOME": str(settings.home)}
        rows = [(f"cli {word}", *_seconds(word, environment), at_most) for word, at_most in _WANTED_S.items()]
    show_table(f"Start-up, median of {_RUNS}", ["command", "s", "CPU s", "at most, s"], rows)
    return int(any(seconds > at_most for _, seconds, _, at_most in rows))


def _seconds(word: str, environment: dict[str, str]) -> tuple[float, float]:
    """Return the seconds until it is done, and those of a processor: on a busy machine they differ."""
    taken, used = [], []
    for _ in range(_RUNS + 1):
        started, cpu_s = time.perf_counter(), _children_cpu_s()
        command = [sys.executable, "-m", "cli.main", word]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - started)
        used.append(_children_cpu_s() - cpu_s)
    return median(taken[1:]), median(used[1:])


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
