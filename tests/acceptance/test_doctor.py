"""`cli doctor` tells what is there and what is not, without ever showing a password."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_a_fresh_machine_is_fine_but_for_the_model(tmp_path: Path) -> None:
    done = _doctor(tmp_path, "--json")

    found = {check["name"]: check["verdict"] for check in json.loads(done.stdout)}
    assert done.returncode == 0
    assert (found["database"], found["broker"], found["model"]) == ("ok", "ok", "warning")


def test_services_that_do_not_answer_are_named_without_their_passwords(tmp_path: Path) -> None:
    done = _doctor(
        tmp_path,
        DATABASE_URL="postgresql://who:s3cret@127.0.0.1:9/x",
        BROKER_URL="redis://:s3cret@127.0.0.1:9/0",
    )

    assert done.returncode == 1
    assert "failed   database" in done.stdout and "failed   broker" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_a_home_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")

    done = _doctor(tmp_path)

    assert done.returncode == 1 and "failed   home" in done.stdout and "Traceback" not in done.stderr


def _doctor(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    services = ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL")
    kept = {name: value for name, value in os.environ.items() if name not in services}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**kept, "TAFFRAIL_HOME": str(tmp_path / "home"), **environment},
    )
