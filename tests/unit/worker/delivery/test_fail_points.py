"""Fail points do what they are told, as often as they are told, and nothing by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from worker.delivery.fail_points import Action, parse_rules

REACH_TWO_IMAGES = """
from worker.delivery.fail_points import fail_point
fail_point("decoding", b"/x/a.jpg")
fail_point("decoding", b"/x/b.jpg")
"""


def test_without_the_variable_nothing_happens() -> None:
    assert _run("").returncode == 0


def test_a_rule_for_a_file_name_meets_that_file_only() -> None:
    assert _run("decoding/b.jpg=kill").returncode == -signal.SIGKILL
    assert _run("decoding/c.jpg=kill,claimed=kill").returncode == 0


def test_a_folder_of_tokens_bounds_how_often(tmp_path: Path) -> None:
    (tmp_path / "1").touch()

    first, second = (_run(f"decoding=kill:{tmp_path}") for _ in range(2))

    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 0)


def test_an_unknown_action_is_refused() -> None:
    assert parse_rules("claimed=pause:0.5")[0].action is Action.PAUSE
    with pytest.raises(ValueError, match="explode"):
        parse_rules("claimed=explode")


def _run(rules: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "TAFFRAIL_FAIL_AT": rules}
    return subprocess.run([sys.executable, "-c", REACH_TWO_IMAGES], env=environment, check=False)
