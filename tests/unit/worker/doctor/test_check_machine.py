"""What doctor says of graphics cards and of the workers' log."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.domain.runtimes import Runtime
from worker.doctor.check_machine import check_processor, check_runtime, check_worker_log
from worker.doctor.checks import CheckState


@pytest.fixture
def with_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose nvidia-smi tells of one card."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA L4, 23034 MiB'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_card_that_this_tensorflow_cannot_use_is_told(with_a_card: None) -> None:
    found = check_processor(lambda name: "2.21.0" if name == "tensorflow-cpu" else None)

    assert found.verdict is CheckState.ODD
    assert "NVIDIA L4" in found.found and "tensorflow[and-cuda]" in found.to_do


def test_a_card_that_is_used_is_fine(with_a_card: None) -> None:
    assert check_processor(lambda name: None).verdict is CheckState.GOOD


def test_a_machine_without_cards_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert check_processor(lambda name: "2.21.0").verdict is CheckState.GOOD


def test_the_last_complaint_of_the_workers_is_shown_without_its_password(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("WARNING x: slow\nERROR x: one\nERROR x: redis://:s3cret@host/0 is gone\nINFO x: fine\n")

    found = check_worker_log(log)

    assert found.verdict is CheckState.ODD and found.found.startswith("2 errors lately")
    assert "redis://:***@host/0" in found.found and "s3cret" not in found.found


def test_a_log_without_complaints_or_no_log_is_fine(tmp_path: Path) -> None:
    (tmp_path / "quiet.log").write_bytes(b"WARNING x: ERRORS are not errors \xff\n")

    assert check_worker_log(tmp_path / "quiet.log").verdict is CheckState.GOOD
    assert check_worker_log(tmp_path / "missing.log").verdict is CheckState.GOOD


@pytest.mark.parametrize(
    ("version", "told", "verdict", "words"),
    [
        pytest.param(None, None, CheckState.GOOD, "may halve", id="not-installed-and-not-wanted"),
        pytest.param(None, Runtime.OPENVINO_BF16, CheckState.ODD, "keras serves", id="wanted-and-not-installed"),
        pytest.param("2026.4", Runtime.KERAS, CheckState.GOOD, "keras, as TAFFRAIL_RUNTIME", id="told"),
        pytest.param("2026.4", None, CheckState.GOOD, "openvino 2026.4 is installed", id="installed"),
    ],
)
def test_doctor_tells_what_may_run_the_networks(
    version: str | None, told: Runtime | None, verdict: CheckState, words: str
) -> None:
    found = check_runtime(lambda name: version, told)

    assert found.verdict is verdict
    assert words in found.found
