"""Jobs, batches and items: their states, and the counts that people see."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ItemState(StrEnum):
    """The states of an item; `done`, `failed` and `quarantined` are final until a person retries."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    CANCELLED = "cancelled"


class BatchState(StrEnum):
    """The states of a batch; only `pending` and a `claimed` whose lease ran out may be claimed."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DONE = "done"
    SPLIT = "split"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """The state of a job, derived from its items, never stored."""

    RUNNING = "running"
    DONE = "done"
    DONE_WITH_FAILURES = "done with failures"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class JobCounts:
    """How many items of a job are in each state."""

    pending: int = 0
    done: int = 0
    failed: int = 0
    quarantined: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All items."""
        return self.pending + self.done + self.failed + self.quarantined + self.cancelled

    @property
    def finished(self) -> int:
        """Items that nothing more will be done about."""
        return self.total - self.pending

    @property
    def bad(self) -> int:
        """Items without a result: failed or quarantined."""
        return self.failed + self.quarantined

    @property
    def state(self) -> JobState:
        """The job's state.

        >>> JobCounts(done=3, failed=1).state
        <JobState.DONE_WITH_FAILURES: 'done with failures'>
        """
        if self.pending:
            return JobState.RUNNING
        if self.cancelled:
            return JobState.CANCELLED
        return JobState.DONE_WITH_FAILURES if self.bad else JobState.DONE


@dataclass(frozen=True)
class Job:
    """One folder enqueued. model_version is what was asked for; None follows the champion."""

    job_id: int
    root: bytes
    model_version: str | None
    created_at: str
    counts: JobCounts


@dataclass(frozen=True)
class ClaimedItem:
    """One item of a claimed batch: which file of which camera. fish_px: the camera's fish size, None if unknown.

    box_shift: of the log odds of the camera's boxes, as its corrections say.
    """

    item_id: int
    file_id: int
    path: bytes
    camera: str = ""
    fish_px: float | None = None
    box_shift: float = 0.0


@dataclass(frozen=True)
class Claim:
    """A batch that this worker holds until its lease runs out; every write is guarded by the token.

    attempts: claims so far, with this one; above 1 means that a worker died or gave up with it.
    """

    batch_id: int
    token: str
    root: bytes
    model_version: str | None
    alone: bool
    attempts: int
    items: tuple[ClaimedItem, ...]
