"""Whatever was raised is one line; what nobody foresaw is found again in a log that shows no password."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from db.errors import TaffrailError
from db.one_line import one_line


def test_a_full_disk_is_told_with_its_place_and_what_helps(tmp_path: Path) -> None:
    log_file = tmp_path / "errors.log"

    told = one_line(OSError(errno.ENOSPC, "No space left on device", "/disk/a.jpg"), log_file=log_file)

    assert told.startswith("/disk/a.jpg: No space left on device; make room")
    assert not log_file.exists()


def test_what_nobody_foresaw_refers_to_its_traceback_in_the_log(tmp_path: Path) -> None:
    log_file = tmp_path / "errors.log"

    told = one_line(_raised(), log_file=log_file, doing="cli status")

    reference = re.search(r"under ([0-9a-f]{8})\)", told)
    assert reference and told.startswith("unexpected ZeroDivisionError: at redis://:***@host")
    text = log_file.read_text(encoding="utf-8")
    assert f"{reference[1]} cli status\n" in text and "in _raised" in text
    assert "s3cret" not in told + text and log_file.stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_written_costs_only_the_reference(tmp_path: Path) -> None:
    told = one_line(_raised(), log_file=tmp_path / "not there" / "errors.log")

    assert told == "unexpected ZeroDivisionError: at redis://:***@host"


@pytest.mark.parametrize("text", ["two\nlines", "x" * 10_000, "tabs\t\tand\r\nreturns"])
def test_no_error_is_more_than_one_line_of_bounded_length(text: str) -> None:
    told = one_line(TaffrailError(text), log_file=None)

    assert "\n" not in told and len(told) < 700


def _raised() -> ZeroDivisionError:
    try:
        raise ZeroDivisionError("at redis://:s3cret@host")
    except ZeroDivisionError as error:
        return error
