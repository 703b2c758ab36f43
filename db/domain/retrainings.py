"""One retraining from its beginning to what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RetrainingState(StrEnum):
    """The states of a retraining; `abandoned` is one whose process died, and a scheduled one begins anew."""

    RUNNING = "running"
    PROMOTED = "promoted"
    KEPT = "candidate"
    NOTHING_NEW = "nothing new"
    FAILED = "failed"
    STOPPED = "stopped"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class Slot:
    """What made a scheduled retraining due: which schedule, and which of its times; a slot is run once."""

    schedule: str
    due: str


@dataclass(frozen=True)
class Retraining:
    """A retraining as stored. note: what came of it, one line; times: ISO 8601, UTC.

    newest_correction_id: up to where corrections were taken in.
    """

    retraining_id: int
    state: RetrainingState
    why: str
    slot: Slot | None
    attempts: int
    holder: str
    newest_correction_id: int
    dataset_id: int | None
    model_id: str | None
    note: str
    started_at: str
    finished_at: str | None


@dataclass(frozen=True)
class HeldRetraining:
    """A retraining that this process runs, until its lease runs out; every write is guarded by the token."""

    retraining_id: int
    token: str


@dataclass(frozen=True)
class Occupied:
    """Why a retraining may not begin: another one runs, or its slot has been run."""

    reason: str
