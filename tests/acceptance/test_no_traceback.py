"""One boundary: whatever the class of an error, a user sees one line, and the same exit code."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from db.migrate import open_database
from tests.acceptance.commands import CLI, environment_with, run_cli
from tests.factories import write_images

# Commands on a database that is torn, each as it is typed; those that read none, and those that stay, are left out.
_WORDS = (
    ("status",),
    ("enqueue", "{images}"),
    ("resume", "1"),
    ("retry", "1"),
    ("cancel", "1"),
    ("results", "1", "--format", "csv", "--out", "{out}"),
    ("labels", "import", "{images}", "--format", "folders", "--images", "{images}"),
    ("cameras", "list"),
    ("models", "list"),
    ("worker",),
    ("report", "1", "--out", "{out}"),
    ("review", "export", "{out}"),
    ("backup", "{out}"),
)


@pytest.fixture
def torn_home(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "home" / "taffrail.db"
    file.parent.mkdir(mode=0o700)
    open_database(f"sqlite:///{file}").dispose()
    size = file.stat().st_size
    with file.open("r+b") as database:  # its first page is whole, as after a disk that lost what it had not yet written
        database.seek(4096)
        database.write(bytes(size - 4096))
    return {"TAFFRAIL_HOME": str(file.parent)}


def test_a_torn_database_is_one_line_in_every_command(torn_home: dict[str, str], tmp_path: Path) -> None:
    write_images(tmp_path / "images", 1)
    places = {"images": tmp_path / "images", "out": tmp_path / "out"}
    running = {
        words: subprocess.Popen(
            [*CLI, *(word.format(**places) for word in words)],
            env=environment_with(torn_home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in _WORDS
    }

    said = {words: (process.communicate(timeout=120)[1], process.returncode) for words, process in running.items()}

    for words, (err, code) in said.items():
        assert code == 2, (words, err)
        assert "Traceback" not in err and err.strip().count("\n") == 0, (words, err)
        assert "taffrail.db" in err or "out" in err, (words, err)


@pytest.mark.skipif(shutil.which("localedef") is None, reason="no localedef")
def test_a_latin_1_terminal_shows_cyrillic_names_escaped(tmp_path: Path) -> None:
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(tmp_path / "de_DE")], capture_output=True, check=False
    )
    if not (tmp_path / "de_DE").exists():
        pytest.skip(f"no locale can be made here: {made.stderr!r}")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    folder = tmp_path / "уловы"
    write_images(folder, 1)
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    engine.dispose()
    with sqlite3.connect(home / "taffrail.db") as database:
        database.execute(
            "INSERT INTO jobs (root, root_digest, model_asked, created_at) VALUES (?, 'x', '', '2026-01-01 00:00:00')",
            (str(folder).encode(),),
        )
    database.close()

    done = run_cli(
        "status", settings={"TAFFRAIL_HOME": str(home), "LOCPATH": str(tmp_path), "LC_ALL": "de_DE", "PYTHONUTF8": "0"}
    )

    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert r"\u0443\u043b\u043e\u0432\u044b" in done.stdout


def test_what_nobody_foresaw_is_one_line_that_names_the_log(tmp_path: Path) -> None:
    code = (
        "import sys, cli.main, cli.doctor, typer\n"
        "broken = typer.Typer()\n"
        "@broken.command()\n"
        "def fail(): raise LookupError('an odd thing')\n"
        "cli.main.app = broken\n"
        "cli.main.run()"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment_with({"TAFFRAIL_HOME": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("unexpected LookupError: an odd thing") and "errors.log" in done.stderr
    assert "Traceback" not in done.stderr and "Traceback" in (tmp_path / "errors.log").read_text()
