"""The boundary of every process: whatever was raised becomes one line with a cause for people.

What nobody foresaw is written with its traceback into a log in HOME; the line names the log and the place in it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sqlite3
import traceback
from datetime import UTC, datetime
from pathlib import Path

from db.errors import TaffrailError
from db.urls import without_passwords

LOG_NAME = "errors.log"  # in HOME
_LONGEST = 600
_LOG_BYTES = 4 * 2**20
_HINTS = {
    errno.ENOSPC: "make room and repeat the command, what is done is kept",
    errno.EDQUOT: "make room and repeat the command, what is done is kept",
    errno.EROFS: "the disk is mounted read-only",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.ENFILE: "the machine has too many open files",
    errno.ENOMEM: "the machine or its limit has no memory left",
}


def one_line(error: BaseException, *, log_file: Path | None, doing: str = "") -> str:
    """Return what went wrong in one line, without passwords. doing: what the process was, for the log.

    >>> one_line(TaffrailError("trip7/a.json: no JSON"), log_file=None)
    'trip7/a.json: no JSON'
    """
    foreseen = _foreseen(error)
    if foreseen is not None:
        return _short(foreseen)
    found = _short(f"unexpected {type(error).__name__}: {first_line(error)}")
    reference = _write_log(error, log_file, doing) if log_file is not None else None
    return f"{found} ({log_file} holds more under {reference})" if reference else found


def first_line(error: BaseException) -> str:
    """Return what an error says, without the statement and its values that SQLAlchemy adds on further lines.

    >>> first_line(ValueError("no such column\\n[SQL: SELECT ...]"))
    'no such column'
    """
    return without_passwords((str(error).strip().splitlines() or [type(error).__name__])[0])


def _foreseen(error: BaseException) -> str | None:
    if isinstance(error, TaffrailError):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "the system"
        hint = _HINTS.get(error.errno)
        return f"{place}: {error.strerror or type(error).__name__}" + (f"; {hint}" if hint else "")
    if isinstance(error, MemoryError):
        return "not enough memory; give the machine (or its limit) more, or less work at once"
    if isinstance(error, sqlite3.DatabaseError):
        return f"the database file: {error}"
    return None


def _short(text: str) -> str:
    line = " ".join(without_passwords(text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def _write_log(error: BaseException, log_file: Path, doing: str) -> str | None:
    """Return the reference under which the traceback stands in the log; None where it cannot be written."""
    reference = secrets.token_hex(4)
    lines = "".join([f"{doing}\n", *traceback.format_exception(error)])
    text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {reference} {without_passwords(lines)}\n"
    try:
        with contextlib.suppress(FileNotFoundError):
            if log_file.stat().st_size > _LOG_BYTES:
                log_file.replace(log_file.with_suffix(".log.1"))
        descriptor = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
            log.write(text)
    except OSError:
        return None
    return reference
