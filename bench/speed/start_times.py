"""How long `cli --help` and `cli status` take, from the shell and back."""

from __future__ import annotations

import os
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
        rows = [(f"cli {word}", _seconds(word, environment), at_most) for word, at_most in _WANTED_S.items()]
    show_table(f"Start-up, median of {_RUNS}", ["command", "s", "at most"], rows)
    return int(any(seconds > at_most for _, seconds, at_most in rows))


def _seconds(word: str, environment: dict[str, str]) -> float:
    taken = []
    for _ in range(_RUNS + 1):
        started = time.perf_counter()
        command = [sys.executable, "-m", "cli.main", word]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - started)
    return median(taken[1:])


if __name__ == "__main__":
    sys.exit(main())
