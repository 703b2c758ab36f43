"""One worker process as its supervisor sees it: started, heard, ended."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.delivery.app import QueueName
from worker.delivery.own_process import WORKING_FOLDER
from worker.delivery.worker_events import EventReader


@dataclass
class WorkerProcess:
    """One worker process.

    place: its number among its queue's workers. in_work: batches it holds. worked: it has had any. moved_s: when it
    last said something, monotonic. loading: it loads a model.
    fault: why it was ended, where that was ours; None with `retired`: it was asked to go.
    """

    name: str
    queue: QueueName
    place: int
    process: subprocess.Popen[bytes]
    events: EventReader
    started_s: float
    moved_s: float
    in_work: int = 0
    worked: bool = False
    loading: bool = False
    fault: str | None = None
    retired: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    @property
    def still_s(self) -> float:
        """How long it has said nothing, seconds."""
        return time.monotonic() - self.moved_s

    def hear(self) -> list[str]:
        """Take in what it said since the last call; return what it says is wrong with the site."""
        troubles = []
        for event in self.events.read():
            self.moved_s = time.monotonic()
            if event.in_work is not None:
                self.in_work, self.worked = event.in_work, True
            if event.loading is not None:
                self.loading = event.loading
            if event.trouble is not None:
                troubles.append(event.trouble)
        return troubles

    def kill(self, *, fault: str | None) -> None:
        """End it at once. fault: what its batches' attempts are told; None where it is not to blame."""
        self.fault, self.retired = fault, fault is None
        self.process.kill()

    def ask_to_end(self) -> None:
        """Ask it to end; it stores what it has in work first."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)

    def end_by(self, deadline_s: float) -> None:
        """Wait for its end until the deadline, monotonic; then end it."""
        try:
            self.process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """Close both pipes of a process that has ended."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def start_worker(
    command: Sequence[str], queue: QueueName, place: int, *, environment: Mapping[str, str], log_file: Path
) -> WorkerProcess:
    """Return a worker process that was started with a new name; its own words are added to log_file."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    with open(log_file, "ab", opener=_private) as log:
        # A session of its own: Ctrl-C reaches the supervisor only. Its end of stdin closes when it dies.
        process = subprocess.Popen(
            [*command, name, queue.value],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd=WORKING_FOLDER,
            env=dict(environment),
        )
    assert process.stdout is not None
    now_s = time.monotonic()
    return WorkerProcess(name, queue, place, process, EventReader(process.stdout.fileno()), now_s, now_s)


def resident_mib(pid: int) -> float:
    """Return what a process takes of the memory, MiB; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
