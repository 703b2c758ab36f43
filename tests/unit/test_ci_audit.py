"""`make audit`: what pip-audit found is told in lines, and what it could not ask is never taken for clean."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "audit.py"
CLEAN = {"name": "pillow", "version": "13.0.0", "vulns": []}
BAD = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.6"], "aliases": []}]}
OURS = {"name": "taffrail-fish", "skip_reason": "not found on PyPI"}


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        pytest.param(
            [CLEAN, OURS], 0, "1 packages audited, 0 known vulnerabilities; not found there: taffrail-fish", id="clean"
        ),
        pytest.param([CLEAN, BAD], 1, "jinja2 3.1.0: PYSEC-1, repaired in 3.1.6", id="vulnerable"),
        pytest.param([OURS], 2, "NOT AUDITED", id="nothing could be looked up"),
        pytest.param(None, 2, "NOT AUDITED", id="no report at all"),
    ],
)
def test_a_report_becomes_lines_and_an_exit_code(dependencies: list[object] | None, code: int, said: str) -> None:
    report = json.dumps({"dependencies": dependencies, "fixes": []}) if dependencies is not None else ""

    done = _audit(report)

    assert done.returncode == code and said in done.stdout, done.stderr


def test_a_machine_without_a_way_out_may_go_on_but_is_told() -> None:
    without, vulnerable = (
        _audit("", "--where-reachable"),
        _audit(json.dumps({"dependencies": [BAD]}), "--where-reachable"),
    )

    assert without.returncode == 0 and "NOT AUDITED" in without.stdout
    assert vulnerable.returncode == 1


def _audit(report: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *words], input=report, capture_output=True, text=True, check=False)
