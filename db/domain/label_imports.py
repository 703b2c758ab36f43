"""Imports of label files: each is a revision of what the images are said to show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ImportState(StrEnum):
    """RUNNING: not finished, or cut off; it says nothing. UNDONE: taken back; what earlier imports said is in force."""

    RUNNING = "running"
    IN_FORCE = "in force"
    UNDONE = "undone"


@dataclass(frozen=True)
class LabelImportSummary:
    """One import. images: of which it says something; counting: of these, how many have no newer label in force."""

    import_id: int
    source: str
    path: str
    state: ImportState
    created_at: str
    images: int
    counting: int
