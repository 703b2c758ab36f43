"""Commands that are killed between two of their statements leave nothing half done, and the same command ends it."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from db.migrate import open_database
from db.session import engine_for, reading
from db.settings import Settings, get_settings, make_home
from db.tables.images import ImageRow
from db.tables.labels import LabelRow
from db.tables.models import ModelVersionRow, PromotionRow
from tests.factories import add_noop_champion, write_images
from worker.storage import backup
from worker.storage.backup import make_backup

_KILLS = 4
_CHANGES = ("INSERT", "UPDATE", "DELETE")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    settings = Settings(home=make_home(tmp_path / "home"))
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    add_noop_champion(engine, settings.models_dir, model_id="better", state="candidate")
    engine.dispose()
    for species in ("ALB", "SHARK"):
        write_images(tmp_path / "images" / species, 4, seed=len(species))
    return settings.home


def test_an_import_of_labels(home: Path, tmp_path: Path) -> None:
    images = str(tmp_path / "images")
    words = ["labels", "import", images, "--format", "folders", "--images", images]
    quiet = _copy(home, tmp_path / "quiet")
    changes = _run(words, quiet)

    for killed in _killed_at_drawn_places(words, home, changes):
        _run(words, killed)
        assert _labels(killed) == _labels(quiet) and len(_labels(quiet)) == 8


def test_a_promotion(home: Path, tmp_path: Path) -> None:
    words = ["models", "promote", "better", "--force", "--reason", "test"]
    changes = _run(words, _copy(home, tmp_path / "quiet"))

    for killed in _killed_at_drawn_places(words, home, changes):
        _is_champion(killed, "noop", promotions=0)
        _run(words, killed)
        _is_champion(killed, "better", promotions=1)


def test_a_backup(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, out = Settings(home=home), tmp_path / "backup.tar"
    real = backup._add

    def kill(*arguments: Any) -> str:
        real(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    with monkeypatch.context() as patched:
        patched.setattr(backup, "_add", kill)
        assert _is_killed(lambda: make_backup(settings, out))
    assert not out.exists()

    assert make_backup(settings, out).missing == ()


def _killed_at_drawn_places(words: list[str], home: Path, changes: int) -> Iterator[Path]:
    """Yield copies of a HOME in each of which the command was killed before one of its changes."""
    chance = random.Random(changes)
    for place in sorted(chance.sample(range(1, changes + 1), min(_KILLS, changes))):
        killed = _copy(home, home.with_name(f"killed-{place}"))
        died = _is_killed(partial(_run, words, killed, kill_at=place))
        assert died, f"the command was over before change {place}: it proves nothing"
        yield killed


def _is_killed(call: Callable[[], object]) -> bool:
    """Return whether a call in a process of its own died as by kill -9."""
    child = os.fork()
    if child == 0:
        try:
            call()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _run(words: list[str], home: Path, *, kill_at: int | None = None) -> int:
    """Run a command in this process; return how many of its statements change something. kill_at: dies before that."""
    from cli.main import app

    seen: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith(_CHANGES):
            seen.append(statement)
            if len(seen) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    before = os.environ.get("TAFFRAIL_HOME")
    os.environ["TAFFRAIL_HOME"] = str(home)
    get_settings.cache_clear()
    engine_for.cache_clear()  # a child's connections are its own
    event.listen(Engine, "before_cursor_execute", hear)
    try:
        app(words, standalone_mode=False)
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
        engine_for(f"sqlite:///{home / 'taffrail.db'}").dispose()
        os.environ.pop("TAFFRAIL_HOME") if before is None else os.environ.update(TAFFRAIL_HOME=before)
        get_settings.cache_clear()
    return len(seen)


def _copy(home: Path, to: Path) -> Path:
    shutil.copytree(home, to)
    return to


def _labels(home: Path) -> list[tuple[str, str]]:
    with reading(open_database(f"sqlite:///{home / 'taffrail.db'}")) as session:
        rows = select(ImageRow.sha256, LabelRow.species).join(LabelRow, LabelRow.image_id == ImageRow.id)
        return sorted((sha256, species) for sha256, species in session.execute(rows))


def _is_champion(home: Path, model_id: str, *, promotions: int) -> None:
    with reading(open_database(f"sqlite:///{home / 'taffrail.db'}")) as session:
        champions = session.scalars(select(ModelVersionRow.id).where(ModelVersionRow.state == "champion")).all()
        made = session.scalar(select(func.count()).select_from(PromotionRow))
    assert (list(champions), made) == ([model_id], promotions)
