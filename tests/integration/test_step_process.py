"""Steps in a process of their own: what they tell is heard, and however one ends, one line says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.odd_step import ODD, OddValue
from worker.steps.step_process import StepError, run_step


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path))


def test_progress_and_result_are_heard_whatever_libraries_print() -> None:
    heard: list[tuple[str, int, int]] = []

    result = run_step(ODD, OddValue(end="well"), progress=lambda *call: heard.append(call))

    assert result == OddValue(end="well") and heard == [("work", 1, 2)]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("error", "model.keras: torn"),
        ("full disk", "the system: No space left on device; make room"),
        ("bug", "unexpected ValueError: a bug ("),
        ("killed", "tests.odd_step ended with exit code -6: "),
    ],
)
def test_however_a_step_ends_one_line_says_so(end: str, said: str) -> None:
    with pytest.raises(StepError) as raised:
        run_step(ODD, OddValue(end=end), progress=lambda *_: None)

    assert str(raised.value).startswith(said) and "\n" not in str(raised.value)
