"""Files that are odd, broken or malicious go through the real command: each ends in a result or a stored reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from sqlalchemy import select

from db.migrate import open_database
from db.session import reading
from db.settings import Settings, make_home
from db.tables.images import FileRow, FolderRow
from db.tables.jobs import ItemRow
from db.tables.predictions import DetectionRow
from tests.acceptance.commands import run_cli
from tests.factories import add_noop_champion
from tests.hostile.images import RESULT, write_broken_images, write_odd_images


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "home")
    make_home(settings.home)
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    return settings


def test_every_odd_file_gives_a_result_and_every_broken_one_a_reason(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    becomes = write_odd_images(folder) | write_broken_images(folder)
    before = _everything_below(tmp_path, but=settings.home)

    done = run_cli("enqueue", str(folder), "--json", settings={"TAFFRAIL_HOME": str(settings.home)})

    told = json.loads(done.stdout)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert _stored(settings, folder) == becomes
    assert sum(told["reasons"].values()) == sum(reason != RESULT for reason in becomes.values())
    assert _everything_below(tmp_path, but=settings.home) == before
    assert all(settings.home in crop.resolve().parents for crop in _crops(settings))


def _stored(settings: Settings, folder: Path) -> dict[bytes, str]:
    with reading(open_database(settings.database)) as session:
        rows = session.execute(
            select(FolderRow.path, FileRow.name, ItemRow.state, ItemRow.reason)
            .join(FileRow, FileRow.folder_id == FolderRow.id)
            .join(ItemRow, ItemRow.file_id == FileRow.id)
        ).all()
    root = os.fsencode(folder)
    return {os.path.relpath(path + b"/" + name, root): reason or state for path, name, state, reason in rows}


def _crops(settings: Settings) -> list[Path]:
    with reading(open_database(settings.database)) as session:
        return [settings.home / file for file in session.scalars(select(DetectionRow.crop_file)) if file]


def _everything_below(folder: Path, *, but: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if but not in (path, *path.parents)}
