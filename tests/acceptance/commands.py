"""Runs the command line as its users do: a process of its own, with nothing of this one's settings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

CLI = [sys.executable, "-m", "cli.main"]
_TAFFRAIL = ("TAFFRAIL_", "DATABASE_URL", "BROKER_URL")


def environment_with(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this environment with these settings and no other."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(_TAFFRAIL)}, **settings}


def run_cli(*words: str, settings: Mapping[str, str], timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*CLI, *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=environment_with(settings),
    )


def start_cli(*words: str, settings: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a command and do not wait for it. Ctrl-C reaches it, also where the tests run behind a shell's `&`."""
    return subprocess.Popen(
        [*CLI, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_with(settings),
        preexec_fn=_hear_ctrl_c,
    )


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
