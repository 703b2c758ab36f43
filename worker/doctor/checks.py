"""What a check of an installation says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckState(StrEnum):
    """What a check found."""

    GOOD = "ok"
    ODD = "warning"
    BAD = "failed"


@dataclass(frozen=True)
class Check:
    """One thing looked at. found: what is there; to_do: what helps, empty where nothing is wanted."""

    name: str
    verdict: CheckState
    found: str
    to_do: str = ""
