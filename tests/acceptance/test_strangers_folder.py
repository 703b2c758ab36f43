"""A folder from a stranger is data: standing in it, or enqueuing it, runs nothing of what lies in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from db.migrate import open_database
from db.settings import Settings, make_home
from tests.acceptance.commands import environment_with
from tests.factories import add_noop_champion, write_images

# As the installed `cli` begins: its own folder, and not the caller's, is on the search path.
_CLI = [sys.executable, "-P", "-c", "import sys; from cli.main import run; sys.exit(run())"]
_MODULES = (
    *("multiprocessing", "worker", "db", "cli", "PIL", "numpy", "keras"),
    *("sitecustomize", "usercustomize", "celeryconfig", "json"),
)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    stick = tmp_path / "stick"
    write_images(stick, 2)
    trap = f"open({str(tmp_path / 'ran')!r}, 'a').write(__name__ + ' ')\n"
    for name in _MODULES:
        (stick / f"{name}.py").write_text(trap)
        (stick / name).mkdir()
        (stick / name / "__init__.py").write_text(trap)
    (stick / ".env").write_text(f"TAFFRAIL_HOME={stick / 'home'}\nTAFFRAIL_MAX_PIXELS=1\n")
    return stick


@pytest.mark.parametrize("python_path", [None, ":/nowhere"], ids=["plain", "an empty search path"])
def test_enqueue_here_runs_nothing_that_lies_here(stick: Path, tmp_path: Path, python_path: str | None) -> None:
    settings = Settings(home=make_home(tmp_path / "home"))
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    environment = environment_with({"TAFFRAIL_HOME": str(settings.home)})
    if python_path is not None:
        # The interpreter of the command itself starts before we can; what it starts is ours.
        for name in ("cli", "sitecustomize", "usercustomize"):
            (stick / f"{name}.py").unlink()
            (stick / name / "__init__.py").unlink()
            (stick / name).rmdir()
        environment["PYTHONPATH"] = python_path

    done = subprocess.run(
        [*_CLI, "enqueue", "."], cwd=stick, env=environment, capture_output=True, text=True, timeout=120
    )

    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()
    assert done.returncode == 0 and "2 of 2 done" in done.stdout, done.stderr
    assert not (stick / "home").exists()


def test_a_pool_of_processes_started_here_runs_nothing_that_lies_here(stick: Path, tmp_path: Path) -> None:
    """Pools are started by Python's own code, as `python -c`, which looks into the working folder first."""
    out = tmp_path / "fleet"
    done = subprocess.run(
        [*_CLI, "sample", str(out), "--images", "2", "--cameras", "1"],
        cwd=stick,
        env={**environment_with({"TAFFRAIL_HOME": str(tmp_path / "home")}), "PYTHONSAFEPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()
    assert done.returncode == 0 and (out / "truth.json").exists(), done.stderr
