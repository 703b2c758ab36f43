"""Runs every script of this bench, one after the other, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

_SCRIPTS = (
    "start_times",
    "enqueue_rate",
    "orchestration_rate",
    "plan_rate",
    "decode_rate",
    "fleet_rate",
    "memory_flat",
    "review_rate",
    "worker_rate",
    "against_plain",
)


def main() -> int:
    """Return 1 where a script found less than is wanted."""
    codes = [subprocess.run([sys.executable, "-m", f"bench.speed.{name}"], check=False).returncode for name in _SCRIPTS]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
