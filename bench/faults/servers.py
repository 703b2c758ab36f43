"""Servers of the bench's own, to be killed: a Redis and a Postgres on free ports, in folders that are thrown away."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import redis
from sqlalchemy import Engine, create_engine, text

_START_S = 120.0  # a Postgres that was killed syncs its whole folder first, on a disk that may be busy
Answer = TypeVar("Answer")


class NotHere(Exception):
    """Something that a fault needs is not on this machine; its row says `not run`."""


def wait_until(ask: Callable[[], Answer], *, timeout_s: float, what: str) -> Answer:
    """Return the first answer that is not empty, zero or false; for what gives no event of its own.

    timeout_s: on a machine that has a core for everybody; see crowding.
    Raises:
        TimeoutError: it did not come.
    """
    started_s = time.monotonic()
    while not (answer := ask()):
        waited_s, crowd = time.monotonic() - started_s, crowding()
        if waited_s > timeout_s * crowd:
            raise TimeoutError(f"not within {waited_s:.0f} s, {crowd:.1f} processes a core: {what}")
        time.sleep(0.02)
    return answer


def crowding() -> float:
    """Return how many times longer everything takes because others want the cores, too; 1 on an idle machine.

    A hang lasts for ever, a busy machine is late by about this factor: so nothing that waits takes one for the other.
    """
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A Redis of our own. options: further words of its command line, such as `--appendonly yes`."""

    def __init__(self, folder: Path, *, options: Sequence[str] = (), addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        if not shutil.which("redis-server"):
            raise NotHere("redis-server is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._command = ["redis-server", "--port", str(self.port), "--dir", str(folder), "--save", ""]
        self._command += ["--bind", *addresses, "--protected-mode", "no", *options]
        self.client = redis.Redis(port=self.port, socket_timeout=5)
        self.start()

    def url(self, host: str = "127.0.0.1") -> str:
        """The broker URL as a worker on `host`'s side sees it."""
        return f"redis://{host}:{self.port}/0"

    def start(self) -> None:
        """Start, or start again with what the disk holds."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, timeout_s=_START_S, what="Redis starts")

    def kill(self) -> None:
        """End it as by kill -9."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class PostgresServer:
    """A Postgres cluster of our own; `make_database` gives an empty database in it."""

    def __init__(self, folder: Path, *, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        self._data = folder / "data"
        self._made = 0
        self.port = free_port()
        self._as_postgres = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        folder.mkdir(parents=True, exist_ok=True)
        if self._as_postgres:
            shutil.chown(folder, "postgres")
        run = [*self._as_postgres, _program("initdb"), "-D", str(self._data), "-U", "taffrail", "-A", "trust", "-N"]
        subprocess.run(run, check=True, capture_output=True, cwd="/")
        # Any address of this machine that the server listens on at all; see addresses.
        with (self._data / "pg_hba.conf").open("a") as hba:
            hba.write("host all all samenet trust\n")
        self._command = [*self._as_postgres, _program("postgres"), "-D", str(self._data), "-p", str(self.port)]
        self._command += ["-c", f"listen_addresses={','.join(addresses)}", "-k", str(folder)]
        self.start()

    def start(self) -> None:
        """Start, or start again after a kill: it recovers from its log."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        wait_until(self._answers, timeout_s=_START_S, what="Postgres starts")

    def kill(self) -> None:
        """End the server and every session as by kill -9."""
        leader = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(leader, signal.SIGKILL)
        self._process.wait()
        # Its sessions notice that the leader is gone; a new one refuses to start before they are.
        wait_until(lambda: not self._sessions(leader), timeout_s=_START_S, what="Postgres's sessions end")

    def make_database(self) -> str:
        """Return the URL of a new empty database."""
        self._made += 1
        name = f"faults_{self._made}"
        wait_until(self._answers, timeout_s=_START_S, what="Postgres answers")
        with self._server().connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self.url(name)

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        """The URL of a database as a worker on `host`'s side sees it."""
        return f"postgresql+psycopg://taffrail@{host}:{self.port}/{name}"

    def _server(self) -> Engine:
        return create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")

    def _answers(self) -> bool:
        ready = [_program("pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, capture_output=True, check=False).returncode == 0

    def _sessions(self, leader: int) -> bool:
        # The leader's children are given to init; they are known by the cluster's folder they work in.
        own = [pid for pid in os.listdir("/proc") if pid.isdigit() and _works_in(pid, self._data)]
        return bool(own)


def _program(name: str) -> str:
    """Return a Postgres program's path; Debian keeps them out of PATH."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, homes)]))
    if found is None:
        raise NotHere(f"{name} of Postgres is not installed")
    return found


def _works_in(pid: str, folder: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(folder)
    except OSError:
        return False
