"""Reads pip-audit's JSON report from stdin and says in plain lines what it means.

Ends with 1 where an installed dependency has a known vulnerability. Where nothing could be looked up (the service is
not reachable) it says so and ends with 2, with `--where-reachable` with 0: for machines that have no way out.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def evaluate(report: str, *, where_reachable: bool) -> tuple[int, list[str]]:
    """Return the exit code and what to print. report: pip-audit's JSON, '' where it ended without one."""
    dependencies: list[dict[str, Any]] = json.loads(report)["dependencies"] if report.strip() else []
    audited = [one for one in dependencies if "vulns" in one]
    if not audited:
        why = "NOT AUDITED: the vulnerability service cannot be reached from here (python -m pip_audit says more)"
        return (0 if where_reachable else 2), [why]
    lines = [f"{_told(one, found)}" for one in audited for found in one["vulns"]]
    skipped = [one["name"] for one in dependencies if "vulns" not in one]
    counted = f"{len(audited)} packages audited, {len(lines)} known vulnerabilities"
    return int(bool(lines)), [*lines, counted + (f"; not found there: {', '.join(skipped)}" if skipped else "")]


def _told(package: dict[str, Any], found: dict[str, Any]) -> str:
    repaired = ", ".join(found["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {found['id']}, repaired in {repaired}"


if __name__ == "__main__":
    code, said = evaluate(sys.stdin.read(), where_reachable="--where-reachable" in sys.argv[1:])
    print(*said, sep="\n")
    sys.exit(code)
