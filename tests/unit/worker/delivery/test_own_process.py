"""A process of ours finds nothing in the folder that its caller stood in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from db.settings import Settings
from worker.delivery.own_process import WORKING_FOLDER, own_command, own_environment


@pytest.mark.parametrize("python_path", ["", ":", ".", ":/opt/x", "sub:/opt/x:"])
def test_search_paths_that_mean_the_working_folder_are_left_out(python_path: str) -> None:
    found = own_environment(environment={"PYTHONPATH": python_path}).get("PYTHONPATH", "")

    assert all(os.path.isabs(place) for place in found.split(":") if found)
    assert ("/opt/x" in found) == ("/opt/x" in python_path)


def test_a_strangers_modules_are_not_imported(tmp_path: Path) -> None:
    for name in ("sitecustomize", "usercustomize", "PIL", "worker", "json", "celeryconfig"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')")
    command = own_command("worker.delivery.devices")

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=own_environment(environment={**os.environ, "PYTHONPATH": ":."}),
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


def test_settings_mean_the_same_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.env").touch()
    monkeypatch.setenv("TAFFRAIL_ENV_FILE", "site.env")

    found = own_environment(Settings(home=Path("home")))

    assert found["TAFFRAIL_HOME"] == str(tmp_path / "home")
    assert found["TAFFRAIL_DATABASE_URL"] == f"sqlite:///{tmp_path}/home/taffrail.db"
    assert found["TAFFRAIL_ENV_FILE"] == str(tmp_path / "site.env")
    assert Path(WORKING_FOLDER).is_absolute()
