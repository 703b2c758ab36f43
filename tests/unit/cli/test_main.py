"""What every program of a command line can: tell its version, help in short, be run as a module."""

from __future__ import annotations

import subprocess
import sys

from typer.testing import CliRunner

from cli.main import app
from db.version import version


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"taffrail {version()}\n"


def test_help_is_there_in_short_for_every_command() -> None:
    for words in (["-h"], ["results", "-h"], ["models", "show", "-h"]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0 and "Usage" in done.stdout, words


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout


def test_python_runs_the_package() -> None:
    done = subprocess.run([sys.executable, "-m", "cli", "--version"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, f"taffrail {version()}\n"), done.stderr
