"""The supervisor's watch over real processes: the idle, the stuck, the dead, and those that cannot even start."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from db.domain.jobs import BatchState
from db.migrate import open_database
from db.session import reading, transaction
from db.settings import Settings, make_home
from db.store.batches import claim
from db.tables.jobs import BatchRow
from tests.factories import add_noop_champion, write_images
from worker.delivery import supervise
from worker.delivery.supervise import Supervisor, WorkerError
from worker.images.enqueue import enqueue_folder

# Workers that do one thing; their first argument is their name.
CONNECTED_AND_IDLE = "import sys; sys.stdin.read()"
AT_WORK = "import sys; print('{\"in_work\": 1}', flush=True); sys.stdin.read()"
LOADING = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"loading": true}', flush=True)
sys.stdin.read()
"""
BROKEN = "raise SystemExit('no TensorFlow')"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=make_home(tmp_path / "home"), lease_s=1.0, batch_items=4)


@pytest.fixture
def engine(settings: Settings, tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    write_images(tmp_path / "images", 4)
    enqueue_folder(engine, settings, os.fsencode(tmp_path / "images"))
    yield engine
    engine.dispose()


def test_a_worker_that_takes_nothing_while_work_waits_is_replaced_and_told_of(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "IDLE_S", 0.2)
    with _supervisor(engine, settings, CONNECTED_AND_IDLE) as supervisor:
        first = supervisor.process_ids()
        assert supervisor.replace_idle() == 0

        _until(lambda: supervisor.replace_idle() == 1)
        _until(lambda: supervisor.look() == 0 and supervisor.process_ids() != first)

        assert "took nothing for 0.2 s while work waits" in supervisor.troubles()[0]


def test_a_worker_at_work_is_not_idle(engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "IDLE_S", 0.0)
    with _supervisor(engine, settings.model_copy(update={"lease_s": 60.0}), AT_WORK) as supervisor:
        _until(lambda: supervisor.look() == 0 and supervisor._running[0].worked)

        assert supervisor.replace_idle() == 0


def test_a_worker_that_does_not_get_on_is_ended_and_its_batch_is_split(engine: Engine, settings: Settings) -> None:
    with _supervisor(engine, settings, AT_WORK) as supervisor:
        _claim(engine, supervisor._running[0].name)

        _until(lambda: supervisor.look() == 1)

        assert _states(engine) == [BatchState.SPLIT, *[BatchState.PENDING] * 4]


def test_what_a_worker_holds_at_the_end_is_given_back_whole(engine: Engine, settings: Settings) -> None:
    with _supervisor(engine, settings, CONNECTED_AND_IDLE) as supervisor:
        _claim(engine, supervisor._running[0].name)

    assert _states(engine) == [BatchState.PENDING]


def test_a_worker_that_loads_its_model_is_told_of_and_not_waited_for_at_the_end(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "GRACE_S", 60.0)
    patient = settings.model_copy(update={"lease_s": 60.0})
    with _supervisor(engine, patient, LOADING) as supervisor:
        assert supervisor.stage == "starting a worker"
        _claim(engine, supervisor._running[0].name)
        _until(lambda: supervisor.look() == 0 and supervisor.stage == "loading the model")
        began_s = time.monotonic()

    assert time.monotonic() - began_s < 10.0
    assert _states(engine) == [BatchState.PENDING]


def test_workers_that_end_right_after_their_start_are_told_and_not_tried_for_ever(
    engine: Engine, settings: Settings
) -> None:
    with _supervisor(engine, settings, BROKEN) as supervisor, pytest.raises(WorkerError, match=r"see .*worker\.log"):
        _until(lambda: supervisor.look() < 0)

    assert "no TensorFlow" in (settings.home / "worker.log").read_text()


def _supervisor(engine: Engine, settings: Settings, code: str) -> Supervisor:
    return Supervisor(engine, settings, command=(sys.executable, "-c", code))


def _claim(engine: Engine, worker: str) -> None:
    with transaction(engine) as session:
        assert claim(session, 1, worker=worker, now_s=time.time(), lease_s=60.0) is not None


def _states(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(select(BatchRow.state).order_by(BatchRow.id)))


def _until(ask: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not ask():
        assert time.monotonic() < deadline
        time.sleep(0.02)
