"""Keeps work going: looks after the worker processes, and makes queue and database agree again, now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from db.errors import DatabaseError, TaffrailError
from db.settings import Settings
from worker.delivery.app import QueueError
from worker.delivery.reconcile import reconcile
from worker.delivery.supervise import Supervisor

_SAME_AGAIN_S = 30.0


@dataclass
class Monitor:
    """Call `keep` several times a second. tell: what is wrong with the site, each text at most every half minute.

    supervisor: our own workers, None where others' do the work. last_trouble_s: when something was wrong, monotonic.
    """

    engine: Engine
    settings: Settings
    tell: Callable[[str], None]
    supervisor: Supervisor | None = None
    reconcile_every_s: float = 5.0
    last_trouble: str = ""
    last_trouble_s: float = float("-inf")
    _told_s: dict[str, float] = field(default_factory=dict)
    _reconciled_s: float = float("-inf")

    def keep(self) -> None:
        """Do what is due; a service that is away is told of and asked again.

        Raises:
            WorkerError: our workers die as soon as they start.
        """
        try:
            died = self.supervisor.look() if self.supervisor is not None else 0
            if died or time.monotonic() - self._reconciled_s > self.reconcile_every_s:
                self._reconciled_s = time.monotonic()
                waiting = reconcile(self.engine, self.settings)
                if waiting and self.supervisor is not None:
                    self.supervisor.replace_idle()
        except (QueueError, DatabaseError) as error:
            self.trouble(error)
        for text in self.supervisor.troubles() if self.supervisor is not None else ():
            self.trouble(text)

    def trouble(self, text: str | TaffrailError) -> None:
        """Tell what is wrong, unless it was told just now."""
        now_s = time.monotonic()
        self.last_trouble, self.last_trouble_s = str(text), now_s
        if now_s - self._told_s.get(str(text), float("-inf")) > _SAME_AGAIN_S:
            self._told_s[str(text)] = now_s
            self.tell(str(text))
