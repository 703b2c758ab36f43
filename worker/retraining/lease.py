"""Holds a retraining's lease while the work goes on: renewed from a thread, lost at once where another took over."""

from __future__ import annotations

import logging
import os
import socket
import threading
from types import TracebackType

from sqlalchemy import Engine

from db.domain.retrainings import HeldRetraining
from db.errors import DatabaseError, TaffrailError
from db.session import transaction
from db.store.retrainings import renew
from db.store.sql import database_now_s

LEASE_S = 120.0
_RENEW_EVERY_S = LEASE_S / 6
_log = logging.getLogger("taffrail.retrain")


class LeaseLost(TaffrailError):
    """Another process has taken the retraining over."""


class Lease:
    """A lease that is renewed until the context ends."""

    def __init__(self, engine: Engine, held: HeldRetraining) -> None:
        self._engine = engine
        self._held = held
        self._over = threading.Event()
        self._lost = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Lease:
        self._renewer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._renewer.join()

    def check(self) -> None:
        """Go on only while the lease is ours.

        Raises:
            LeaseLost: it is another's.
        """
        if self._lost.is_set():
            raise LeaseLost("another process took this retraining over, so this one stops; nothing was written")

    def _renew(self) -> None:
        while not self._over.wait(_RENEW_EVERY_S):
            try:
                with transaction(self._engine) as session:
                    if not renew(session, self._held, lease_until_s=database_now_s(session) + LEASE_S):
                        self._lost.set()
                        return
            except DatabaseError as error:
                _log.warning("the lease could not be renewed: %s; trying again", error)


def this_holder() -> str:
    """Return who this process is, for the lease: machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def died_here(holder: str) -> bool:
    """Return whether a holder was a process of this machine that is no more; of others nothing is known."""
    machine, _, process = holder.rpartition(":")
    if machine != socket.gethostname() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
