"""What is in HOME is the user's own, and no password is shown, whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from db.migrate import open_database
from db.settings import Settings
from tests.acceptance.commands import CLI, environment_with, run_cli
from tests.factories import add_noop_champion, write_images

COMMANDS = (
    ("status",),
    ("enqueue", "{images}"),
    ("resume", "1"),
    ("results", "1", "--format", "json", "--out", "{home}/out"),
    ("models", "list"),
    ("worker",),
    ("scheduler",),
    ("backup", "{home}/backup"),
    ("doctor",),
)


def test_everything_in_home_is_private_though_home_itself_is_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    settings = Settings(home=home)
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    write_images(tmp_path / "images", 3)

    done = run_cli("enqueue", str(tmp_path / "images"), settings={"TAFFRAIL_HOME": str(home)})

    files = [file for file in home.rglob("*") if file.is_file() and settings.models_dir not in file.parents]
    assert done.returncode == 0, done.stderr
    assert {"taffrail.db", "worker.log"} <= {file.name for file in files}
    assert any(file.suffix == ".jpg" for file in files)
    assert [str(file) for file in files if not _private(file, below=home)] == []


@pytest.mark.parametrize(
    ("database_url", "broker_url"),
    [
        pytest.param("postgresql://who:{}@127.0.0.1:9/x", "redis://:{}@127.0.0.1:9/0", id="services are down"),
        pytest.param("postgresql://who:{}/@127.0.0.1:9/x", "redis://:{}/@127.0.0.1:9/0", id="URLs cannot be read"),
        pytest.param("", "redis://:{}@127.0.0.1:9/0", id="the broker is down"),
    ],
)
def test_no_command_shows_a_password(tmp_path: Path, database_url: str, broker_url: str) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.home.mkdir()
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    write_images(tmp_path / "images", 1)
    urls = {"DATABASE_URL": database_url.format("s3cret"), "BROKER_URL": broker_url.format("s3cret")}

    told = _told_by_all({"TAFFRAIL_HOME": str(settings.home), **urls}, tmp_path)

    # A command that says nothing shows no password either: each must have come to the point where it could.
    assert [command for command, text in told.items() if not text.strip()] == []
    log = settings.home / "worker.log"
    told["worker.log"] = log.read_text() if log.exists() else ""
    assert {command: text for command, text in told.items() if "s3cret" in text} == {}
    assert {command: text for command, text in told.items() if "Traceback" in text} == {}


def _private(file: Path, *, below: Path) -> bool:
    """Whether the file, or a folder on the way to it, keeps everybody else out."""
    return any(not place.stat().st_mode & 0o077 for place in (file, *file.parents) if below in place.parents)


def _told_by_all(settings: dict[str, str], folder: Path) -> dict[str, str]:
    """Run the commands side by side; a worker would wait for its broker for ever, so each is ended in the end."""
    environment = environment_with(settings)
    running = {}
    for words in COMMANDS:
        filled = [word.format(images=folder / "images", home=folder / "home") for word in words]
        running[" ".join(words)] = subprocess.Popen(
            ["timeout", "--signal=TERM", "30", *CLI, *filled],
            env=environment,
            cwd=os.getcwd(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    return {command: process.communicate(timeout=90)[0] for command, process in running.items()}
