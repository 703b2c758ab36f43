"""Keeps worker processes alive: starts them, tells the database at once when one died, stops them cleanly."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sqlalchemy import Engine

from db.errors import TaffrailError
from db.session import reading, transaction
from db.settings import Settings
from db.store.batches import bury_worker, has_claimed

GRACE_S = 30.0
_MAX_QUICK_DEATHS = 5
_QUICK_S = 20.0


class WorkerError(TaffrailError):
    """Workers die as soon as they start: something of the installation, not of a picture."""


@dataclass
class _Running:
    name: str
    process: subprocess.Popen[bytes]
    started_s: float


class Supervisor:
    """A number of worker processes. Use as a context; call `look` now and then."""

    def __init__(self, engine: Engine, settings: Settings, *, processes: int = 1) -> None:
        self._engine = engine
        self._settings = settings
        self._count = processes
        self._running: list[_Running] = []
        self._quick_deaths = 0

    def __enter__(self) -> Supervisor:
        self._running = [self._start() for _ in range(self._count)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def look(self) -> int:
        """Return how many workers had died since the last look; each is replaced and its batches are split.

        Raises:
            WorkerError: workers die again and again right after their start.
        """
        dead = [worker for worker in self._running if worker.process.poll() is not None]
        for worker in dead:
            quick = time.monotonic() - worker.started_s < _QUICK_S
            self._bury(worker)
            # Dying with a batch in hand may be the picture's doing, and ends by quarantine.
            self._quick_deaths = self._quick_deaths + 1 if quick and not self._has_worked(worker) else 0
            if self._quick_deaths >= _MAX_QUICK_DEATHS:
                raise WorkerError(f"worker processes end right after their start; see {self.log_file}")
            self._running[self._running.index(worker)] = self._start()
        return len(dead)

    def stop(self) -> None:
        """End every worker: each finishes its batch within the grace time, or its batch is given to others."""
        for worker in self._running:
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        for worker in self._running:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            with contextlib.suppress(TaffrailError):  # the lease ends what cannot be told now
                self._bury(worker)
        self._running = []

    @property
    def log_file(self) -> Path:
        """Where the workers' own words go."""
        return self._settings.home / "worker.log"

    def _start(self) -> _Running:
        name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        with self.log_file.open("ab") as log:
            # A session of its own: Ctrl-C reaches the supervisor only. Its end of stdin closes when it dies.
            process = subprocess.Popen(
                [sys.executable, "-m", "worker.run_worker", name],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return _Running(name, process, time.monotonic())

    def _bury(self, worker: _Running) -> None:
        with transaction(self._engine) as session:
            bury_worker(session, worker.name, reason="its worker died")

    def _has_worked(self, worker: _Running) -> bool:
        with reading(self._engine) as session:
            return has_claimed(session, worker.name)
