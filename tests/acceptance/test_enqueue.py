"""The main job through the command line, worker processes included, with nothing installed but Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from db.migrate import open_database
from db.settings import Settings, make_home
from tests.factories import add_noop_champion, write_images

CLI = [sys.executable, "-m", "cli.main"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = Settings(home=tmp_path / "home")
    for name in ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAFFRAIL_HOME", str(settings.home))
    make_home(settings.home)
    engine = open_database(f"sqlite:///{settings.home / 'taffrail.db'}")
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    return settings.home


def test_a_folder_is_enqueued_and_done_and_the_second_time_there_is_nothing_to_do(home: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "images" / "cam_1", 20)

    first = _cli("enqueue", str(tmp_path / "images"))
    second = _cli("enqueue", str(tmp_path / "images"))

    assert first.returncode == 0, first.stderr
    assert "20 new" in first.stdout and "20 of 20 done" in first.stdout
    assert "0 new, 0 changed, 20 known" in second.stdout


def test_a_broken_file_is_named_and_the_command_ends_with_1(home: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "images", 3)
    (tmp_path / "images" / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")

    done = _cli("enqueue", str(tmp_path / "images"))

    assert done.returncode == 1
    assert "3 of 4 done" in done.stdout and "torn.jpg" in done.stderr and "Traceback" not in done.stderr


def test_a_command_killed_in_the_middle_loses_nothing(home: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "images", 200)
    running = subprocess.Popen([*CLI, "enqueue", str(tmp_path / "images")], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None and "200 new" in running.stdout.readline()
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()

    resumed = _cli("enqueue", str(tmp_path / "images"), "--json", TAFFRAIL_LEASE_S="2")

    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["done"] == 200


def test_a_folder_that_is_none_is_one_line_and_exit_code_2(home: Path) -> None:
    done = _cli("enqueue", "/no/such/folder")

    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0 and "not a folder" in done.stderr


def test_the_command_line_starts_without_tensorflow() -> None:
    code = "import sys, cli.main; sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras', 'celery')))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
