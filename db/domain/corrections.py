"""What a person said of an image in a review, and how it differs from what they were shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox


class Change(StrEnum):
    """What became of one box."""

    KEPT = "kept"
    MOVED = "moved"
    RELABELLED = "relabelled"
    ADDED = "added"
    REMOVED = "removed"


class CorrectionOutcome(StrEnum):
    """What a review said of one image; only the first three say what is in it, and only `untouched` is not stored.

    Withdrawn: everything that was said of the image in this review before is taken back.
    """

    CORRECTED = "corrected"
    CONFIRMED = "confirmed"
    CONFIRMED_EMPTY = "confirmed empty"
    UNSURE = "unsure"
    WITHDRAWN = "withdrawn"
    UNTOUCHED = "untouched"


DECIDED = frozenset({CorrectionOutcome.CORRECTED, CorrectionOutcome.CONFIRMED, CorrectionOutcome.CONFIRMED_EMPTY})


@dataclass(frozen=True)
class BoxChange:
    """One box's change; `before` is None for an added box, `after` for a removed one.

    detection_id: the detection that was shown, None where the box was not a detection. A box both moved and
    relabelled is `relabelled`, its coordinates say the rest.
    """

    change: Change
    before: LabelledBox | None
    after: LabelledBox | None
    detection_id: int | None = None

    def __post_init__(self) -> None:
        if (self.before is None) != (self.change is Change.ADDED) or (self.after is None) != (
            self.change is Change.REMOVED
        ):
            raise ValueError(f"a box that was {self.change} has the wrong sides: {self.before} -> {self.after}")


@dataclass(frozen=True)
class Correction:
    """What one person said of one image in one export; `label` is None exactly where nothing was decided.

    reviewed_at: ISO 8601, UTC. model_version: the model whose prediction was shown, None where none was.
    duplicate_of: the hash of the image that they looked at instead, which shows the same; None where it was this one.
    """

    sha256: str
    label: ImageLabel | None
    outcome: CorrectionOutcome
    changes: tuple[BoxChange, ...]
    reviewer: str
    reviewed_at: str
    export_id: str
    model_version: str | None
    duplicate_of: str | None = None

    def __post_init__(self) -> None:
        if (self.label is not None) != (self.outcome in DECIDED):
            raise ValueError(f"an image that is {self.outcome} has the wrong label: {self.label}")

    @property
    def removed_boxes(self) -> tuple[Box, ...]:
        """The boxes that were shown and that the person said show no fish."""
        return tuple(changed.before.box for changed in self.changes if changed.after is None and changed.before)
