"""Processes to be hurt: a `cli worker` with the workers below it, killed, stopped, or asked to go."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.faults.servers import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
CLI = (sys.executable, "-m", "cli.main")


def below(pid: int) -> list[int]:
    """Return the processes below a process, its children first."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            # The name in brackets may hold anything; what follows it does not.
            parents[int(name)] = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
    found = [child for child, parent in parents.items() if parent == pid]
    return found + [inner for child in found for inner in below(child)]


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; that the process is gone already is no matter."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class WorkerProcess:
    """One `cli worker`. prefix: words before its command line, for a network or a clock of its own."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        queues: str,
        processes: int,
        log: Path,
        prefix: Sequence[str] = (),
    ) -> None:
        with log.open("ab") as words:
            self._process = subprocess.Popen(
                [*prefix, *CLI, "worker", "--queues", queues, "--processes", str(processes)],
                env=dict(environment),
                cwd=REPOSITORY,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
        self._seen: set[int] = set()

    def children(self) -> list[int]:
        """The workers that do the inference now."""
        now = below(self._process.pid)
        self._seen.update(now)
        return now

    def kill_child(self) -> None:
        """Kill -9 one child, as the kernel's memory killer does."""
        send(wait_until(self.children, timeout_s=60, what="a worker has a child")[0], signal.SIGKILL)

    def kill(self) -> None:
        """Kill -9 everything at once, as when the machine loses its power."""
        everything = [self._process.pid, *self.children()]
        for pid in everything:
            send(pid, signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Stop everything where it stands, as when a virtual machine is suspended."""
        self._frozen = [self._process.pid, *self.children()]
        for pid in self._frozen:
            send(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let what was frozen go on; it does not know that time has passed."""
        self.thaw_children()
        send(self._frozen[0], signal.SIGCONT)

    def thaw_children(self) -> None:
        """Let those that do the inference go on first: their supervisor would end them for being late."""
        for pid in reversed(self._frozen[1:]):
            send(pid, signal.SIGCONT)

    def ask_to_stop(self, *, within_s: float) -> int:
        """Send SIGTERM, as systemd and Docker do; return the exit code.

        Raises:
            TimeoutError: it did not go in time.
        """
        self.children()
        send(self._process.pid, signal.SIGTERM)
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"`cli worker` did not end within {within_s:g} s of SIGTERM") from None

    def end(self) -> None:
        """Leave nothing behind, whatever happened before."""
        for pid in [self._process.pid, *self.children(), *self._seen]:
            if pid == self._process.pid or _is_ours(pid):
                send(pid, signal.SIGKILL)
        self._process.wait()


def _is_ours(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"run_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
