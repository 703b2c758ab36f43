"""Runs faults, each on a site of its own, and tells how its ledger differs from a quiet run's."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

from bench.faults.catalogue import Fault
from bench.faults.disk import small_disk
from bench.faults.ledger import Difference, Ledger, claims_an_item, compare, leftovers, read_ledger
from bench.faults.network import Network
from bench.faults.servers import NotHere, PostgresServer, RedisServer, crowding, wait_until
from bench.faults.site import Site, write_bench_images

_PATIENCE_S = 15.0  # what heals by itself has healed by then; else `cli resume` is what a person would type
_RESUME_S = 90.0


@dataclass(frozen=True)
class Row:
    """One line of the table. problem: what did not come to its end, or why there are no figures.

    not_run: nothing was wrong, the machine lacks what the fault needs.
    """

    name: str
    database: str
    difference: Difference | None = None
    claims: float = 0.0
    recovery_s: float = 0.0
    resumed: bool = False
    problem: str = ""
    not_run: bool = False

    @property
    def good(self) -> bool:
        """Whether it ran, and nothing was lost, doubled or wrong; what could not be run shows nothing."""
        return self.difference is not None and self.difference.none and not self.problem


class Bench:
    """The servers, the images and the quiet runs that all faults share. Use as a context."""

    def __enter__(self) -> Bench:
        self._exits = contextlib.ExitStack()
        self._folder = Path(tempfile.mkdtemp(prefix="taffrail-faults-"))
        self._folder.chmod(0o755)  # Postgres runs as another user
        self._exits.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._network = self._exits.enter_context(Network())
        self._images = self._folder / "images"
        write_bench_images(self._images)
        self._quiet: dict[str, Ledger] = {}
        self._made = 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._exits.close()

    def run(self, fault: Fault, *, database: str) -> Row:
        """Return the row of one fault; whatever goes wrong becomes its text."""
        try:
            quiet = self._quiet_ledger(database)
            with self._site(fault, database=database) as site:
                return self._evaluate(fault, site, quiet, database=database)
        except NotHere as missing:
            return Row(fault.name, database, problem=str(missing), not_run=True)
        except Exception as error:  # one fault's row must not cost the others theirs
            return Row(fault.name, database, problem=f"{type(error).__name__}: {error}")

    def _evaluate(self, fault: Fault, site: Site, quiet: Ledger, *, database: str) -> Row:
        expected, resumed, problem = dict(quiet), False, ""
        over = time.monotonic()
        try:
            expected |= fault.deed(site) or {}
            over = time.monotonic()
            resumed = not _heals_by_itself(site)
            if resumed:
                site.cli("resume", "1", "--json", timeout_s=_RESUME_S)
        except TimeoutError as error:  # what is missing is counted all the same
            problem = f"timed out: {error}"
        except subprocess.TimeoutExpired as late:
            problem = f"timed out: `cli {' '.join(late.cmd[3:])}` did not end within {late.timeout:.0f} s"
        recovery_s = time.monotonic() - over
        difference = compare(expected, site.engine, root=site.images, home=site.home)
        left = leftovers(site.engine, home=site.home, orphans_too=not fault.leaves_orphans, made=fault.made)
        problem = problem or "; ".join(left)
        return Row(fault.name, database, difference, claims_an_item(site.engine), recovery_s, resumed, problem)

    def _quiet_ledger(self, database: str) -> Ledger:
        if database not in self._quiet:
            with self._site(Fault("quiet", lambda site: None), database=database) as site:
                site.start_work()
                wait_until(site.all_finished, timeout_s=60, what="the quiet run ends")
                self._quiet[database] = read_ledger(site.engine, root=site.images, home=site.home)
        return self._quiet[database]

    @contextlib.contextmanager
    def _site(self, fault: Fault, *, database: str) -> Iterator[Site]:
        self._made += 1
        folder = self._folder / f"site-{self._made}"
        with contextlib.ExitStack() as exits:
            if fault.small_disk_mib is not None:
                exits.enter_context(small_disk(folder / "home", mib=fault.small_disk_mib))
            redis = None
            if fault.redis is not None:
                redis = RedisServer(folder / "redis", options=fault.redis, addresses=self._network.addresses)
            url = f"sqlite:///{folder / 'home' / 'taffrail.db'}"
            if database == "postgres":
                url = self._postgres.make_database()
            site = Site(folder, url, redis, self._network, self._servers(database), dict(fault.settings))
            exits.callback(site.end)
            site.open(self._images)
            yield site

    @cached_property
    def _postgres(self) -> PostgresServer:
        server = PostgresServer(self._folder / "postgres", addresses=self._network.addresses)
        self._exits.callback(server.kill)
        return server

    def _servers(self, database: str) -> PostgresServer | None:
        return self._postgres if database == "postgres" else None


def _heals_by_itself(site: Site) -> bool:
    """Wait while work goes on; return whether it came to its end without anybody's help."""
    finished, moved = site.finished(), time.monotonic()
    while not site.all_finished():
        if site.finished() != finished:
            finished, moved = site.finished(), time.monotonic()
        if time.monotonic() - moved > _PATIENCE_S * crowding():
            return False
        time.sleep(0.05)
    return True
