"""A HOME backed up while its workers work, restored elsewhere, and gone on with."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from db.migrate import open_database
from db.settings import Settings, make_home
from tests.factories import add_noop_champion, write_images
from worker.storage.backup import BackupError, make_backup, restore_backup

CLI = [sys.executable, "-m", "cli.main"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "home", database_url=None, broker_url=None)
    make_home(settings.home)
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    return settings


def test_a_backup_taken_while_workers_work_is_restored_and_gone_on_with(settings: Settings, tmp_path: Path) -> None:
    write_images(tmp_path / "images", 400)
    running = _start("enqueue", str(tmp_path / "images"), home=settings.home)
    assert running.stdout is not None and "400 new" in running.stdout.readline()

    made = _cli("backup", str(tmp_path / "backup.tar"), home=settings.home)
    running.communicate(timeout=120)
    restored = _cli("restore", str(tmp_path / "backup.tar"), home=tmp_path / "elsewhere")
    resumed = _cli("resume", "1", home=tmp_path / "elsewhere")
    again = make_backup(Settings(home=tmp_path / "elsewhere"), tmp_path / "again.tar")

    assert made.returncode == restored.returncode == resumed.returncode == 0, made.stderr + restored.stderr
    assert "400 of 400 done" in resumed.stdout
    assert not again.missing  # every crop that the restored database names lies in the restored HOME


def test_a_damaged_archive_is_refused_and_leaves_nothing_behind(settings: Settings, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    make_backup(settings, archive)
    content = bytearray(archive.read_bytes())
    content[600] ^= 0xFF  # within the database, the first member
    archive.write_bytes(content)

    with pytest.raises(BackupError, match=r"taffrail\.db is not as it was written"):
        restore_backup(archive, tmp_path / "elsewhere")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "home"]


def test_a_torn_archive_is_refused(settings: Settings, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    make_backup(settings, archive)
    archive.write_bytes(archive.read_bytes()[:70_000])

    done = _cli("restore", str(archive), home=tmp_path / "elsewhere")

    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "backup.tar" in done.stderr


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "crops/../../escaped", "models/x/.hidden", "notes.txt"])
def test_an_archive_with_foreign_names_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"evil"))

    with pytest.raises(BackupError, match="nothing that a backup holds"):
        restore_backup(tmp_path / "evil.tar", tmp_path / "home")

    assert not (tmp_path / "escaped").exists()


def test_a_home_in_use_is_never_restored_over(settings: Settings, tmp_path: Path) -> None:
    make_backup(settings, tmp_path / "backup.tar")

    with pytest.raises(BackupError, match="is not empty"):
        restore_backup(tmp_path / "backup.tar", settings.home)


def test_a_database_on_a_server_is_told_how_to_be_backed_up(tmp_path: Path) -> None:
    done = _cli("backup", str(tmp_path / "b.tar"), home=tmp_path, DATABASE_URL="postgresql://u:secret@nowhere/db")

    assert done.returncode == 2 and "pg_dump" in done.stderr and "secret" not in done.stderr


def test_what_a_database_names_and_the_disk_lacks_is_told(settings: Settings, tmp_path: Path) -> None:
    (settings.models_dir / "noop" / "card.json").unlink()

    done = _cli("backup", str(tmp_path / "backup.tar"), "--json", home=settings.home)

    assert done.returncode == 1
    assert json.loads(done.stdout)["missing"] == ["models/noop/card.json"]
    assert (tmp_path / "backup.tar").stat().st_mode & 0o077 == 0


def _environment(home: Path, more: dict[str, str]) -> dict[str, str]:
    services = ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL")
    return {**{k: v for k, v in os.environ.items() if k not in services}, "TAFFRAIL_HOME": str(home), **more}


def _start(*arguments: str, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CLI, *arguments], env=_environment(home, {}), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _cli(*arguments: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *arguments], env=_environment(home, more), capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("seed", range(24))
def test_an_archive_that_is_damaged_anywhere_is_one_line_and_leaves_nothing(
    settings: Settings, tmp_path: Path, seed: int
) -> None:
    archive = tmp_path / "backup.tar"
    make_backup(settings, archive)
    chance = random.Random(seed)
    content = bytearray(archive.read_bytes())
    for _ in range(chance.choice((20, 200, 2000))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    archive.write_bytes(content[: chance.choice((len(content), chance.randrange(len(content))))])

    with pytest.raises(BackupError) as refused:
        restore_backup(archive, tmp_path / "elsewhere")

    assert "\n" not in str(refused.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["backup.tar", "home"]
