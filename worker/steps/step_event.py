"""What a step's process tells its caller, one JSON line each: how far it is, then its result or its error."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class StepEvent(BaseModel):
    """One line of a step. stage, done, total: how far it is; result: the plain step result; error: one line."""

    model_config = ConfigDict(frozen=True)

    stage: str | None = None
    done: int = 0
    total: int = 0
    result: dict[str, Any] | None = None
    error: str | None = None

    def line(self) -> str:
        """Return it as a line, its end included; a file's name that is no Unicode passes, escaped."""
        return json.dumps(self.model_dump(exclude_unset=True)) + "\n"


def read_event(line: str) -> StepEvent | None:
    """Return what a line tells, None of one that its process could not end, as it was killed.

    >>> read_event('{"error": "no labels"}').error
    'no labels'
    >>> read_event('{"stage": "trai') is None
    True
    """
    try:
        return StepEvent.model_validate(json.loads(line))  # pydantic's own reader takes no lone surrogates
    except ValueError:
        return None
