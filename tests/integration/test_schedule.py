"""The schedule: due at its times and after so many corrections, each slot once, whatever the number of schedulers."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.domain.labels import ImageLabel
from db.domain.retrainings import HeldRetraining, Occupied, RetrainingState, Slot
from db.errors import SettingsError
from db.migrate import open_database
from db.session import reading, transaction
from db.settings import Settings, get_settings
from db.store.model_versions import list_models
from db.store.retrainings import begin_retraining, end_retraining, in_force_since, list_retrainings
from tests.drawn_fish import draw_fish
from tests.factories import add_noop_champion
from tests.learning_site import FakeSteps, LearningSite
from worker.delivery.app import RETRAIN_TASK
from worker.retraining.retrain import RetrainOutcome, RetrainRequest, retrain
from worker.retraining.schedule import CORRECTIONS, Due, outlook, retrain_if_due
from worker.retraining.scheduler import Chores
from worker.run_worker import train_app
from worker.training.data.samples import TrainingSample

NIGHTLY = Settings(retrain_cron="0 3 * * *")
MONDAY = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def samples(tmp_path: Path) -> list[TrainingSample]:
    found = []
    for number in range(24):
        folder = tmp_path / "fleet" / f"boat_{number % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        found.append(draw_fish(folder, number, ("ALB", "LAG", "NoF")[number // 4 % 3], folder.name))
    return found


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: list[TrainingSample]) -> LearningSite:
    """A site with labels and a champion, where two corrections make a retraining due."""
    return _site(open_database(f"sqlite:///{tmp_path / 'taffrail.db'}"), tmp_path, monkeypatch, samples)


def test_a_slot_is_due_once_it_has_come_and_not_before_the_schedule_was_set(engine: Engine) -> None:
    assert _due(engine, NIGHTLY, MONDAY) is None  # set at noon: this morning's slot was before

    due = _due(engine, NIGHTLY, MONDAY + timedelta(hours=15))

    assert due is not None and due.slot == Slot("cron", "2026-01-06T03:00+00:00")
    assert _due(engine, NIGHTLY, MONDAY + timedelta(hours=14, minutes=59)) is None


def test_missed_slots_are_made_up_for_once(engine: Engine) -> None:
    _due(engine, NIGHTLY, MONDAY)

    due = _due(engine, NIGHTLY, MONDAY + timedelta(days=5))

    assert due is not None and due.slot.due == "2026-01-10T03:00+00:00"
    _run(engine, due.slot, RetrainingState.KEPT)
    assert _due(engine, NIGHTLY, MONDAY + timedelta(days=5)) is None


def test_a_changed_line_is_in_force_from_then_on(engine: Engine) -> None:
    later = MONDAY + timedelta(days=1)
    with transaction(engine) as session:
        first = in_force_since(session, "cron", "0 3 * * *", now=MONDAY)
        same = in_force_since(session, "cron", "0 3 * * *", now=later)
        changed = in_force_since(session, "cron", "0 4 * * *", now=later)

    assert (first, same, changed) == (MONDAY, MONDAY, later)


@pytest.mark.parametrize(
    ("state", "again"),
    [
        (RetrainingState.FAILED, False),
        (RetrainingState.KEPT, False),
        (RetrainingState.STOPPED, True),
        (RetrainingState.ABANDONED, True),
    ],
)
def test_what_was_stopped_or_died_begins_anew_and_what_failed_does_not(
    engine: Engine, state: RetrainingState, again: bool
) -> None:
    _due(engine, NIGHTLY, MONDAY)
    tomorrow = MONDAY + timedelta(days=1)
    due = _due(engine, NIGHTLY, tomorrow)
    assert due is not None

    _run(engine, due.slot, state)

    assert (_due(engine, NIGHTLY, tomorrow) is not None) is again


def test_so_many_corrections_make_one_retraining_due(site: LearningSite, samples: list[TrainingSample]) -> None:
    steps = FakeSteps(site.settings, site.engine)
    site.correct({samples[0].sha256: ImageLabel("NoF")})
    assert _retrain(site, steps) is None
    site.correct({samples[1].sha256: ImageLabel("NoF")})

    done, once_more = _retrain(site, steps), _retrain(site, steps)

    assert isinstance(done, RetrainOutcome) and done.state is RetrainingState.PROMOTED
    assert once_more is None
    with reading(site.engine) as session:
        (run,) = list_retrainings(session)
    assert run.slot == Slot(CORRECTIONS, "after 0") and run.why.startswith("2 images were corrected")
    site.correct({sample.sha256: ImageLabel("NoF") for sample in samples[2:4]})
    assert isinstance(_retrain(site, steps), RetrainOutcome)


def test_two_schedulers_and_two_commands_at_once_make_one_model(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: list[TrainingSample]
) -> None:
    site = _site(engine, tmp_path, monkeypatch, samples)
    site.correct({sample.sha256: ImageLabel("NoF") for sample in samples[:2]})
    steps = FakeSteps(site.settings, engine)
    ready = threading.Barrier(4)
    came: list[RetrainOutcome | Occupied | None] = []

    def ask(how: Callable[[LearningSite, FakeSteps], RetrainOutcome | Occupied | None]) -> None:
        ready.wait(30)
        came.append(how(site, steps))

    asking = [threading.Thread(target=ask, args=(how,)) for how in (_retrain, _by_hand) * 2]
    for one in asking:
        one.start()
    for one in asking:
        one.join()

    states = [one.state for one in came if isinstance(one, RetrainOutcome)]
    assert len(came) == 4 and states.count(RetrainingState.PROMOTED) == 1
    assert set(states) <= {RetrainingState.PROMOTED, RetrainingState.NOTHING_NEW}
    with reading(engine) as session:
        assert len(list_models(session)) == 2


def test_and_so_they_do_in_processes_of_their_own(site: LearningSite, samples: list[TrainingSample]) -> None:
    site.correct({sample.sha256: ImageLabel("NoF") for sample in samples[:2]})
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen([sys.executable, "-c", _RETRAIN_AT_A_SIGN, kind], **options)  # type: ignore[call-overload]
        for kind in ("scheduler", "command", "scheduler", "command")
    ]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4

    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    came = [process.communicate(timeout=60)[0].strip() for process in processes]

    assert came.count("promoted") == 1, came
    assert set(came) <= {"promoted", "not begun", "nothing new"}
    with reading(site.engine) as session:
        assert len(list_models(session)) == 2


_RETRAIN_AT_A_SIGN = """
import sys
from db.migrate import open_database
from db.settings import get_settings
from tests.learning_site import FakeSteps
from worker.retraining.retrain import RetrainRequest, RetrainOutcome, retrain
from worker.retraining.schedule import retrain_if_due

settings = get_settings()
engine = open_database(settings.database)
steps = FakeSteps(settings, engine)
run = retrain_if_due if sys.argv[1] == "scheduler" else retrain
print("ready", flush=True)
sys.stdin.readline()
done = run(engine, settings, RetrainRequest(), progress=lambda *_: None, steps=steps)
print(done.state if isinstance(done, RetrainOutcome) else "not begun")
"""


def test_the_scheduler_hands_on_nothing_that_is_not_due(site: LearningSite) -> None:
    told: list[str] = []
    chores = Chores(site.engine, site.settings, tell=told.append)

    chores.run("retrain")
    chores.run("reconcile")
    chores.close()

    assert told == []


def test_a_train_workers_task_asks_the_database_what_is_due(
    site: LearningSite, caplog: pytest.LogCaptureFixture
) -> None:
    app = train_app(site.settings)
    app.finalize()  # as a worker does when it starts

    app.tasks[RETRAIN_TASK](1)

    assert caplog.messages == ["retraining: nothing is due"]


@pytest.mark.parametrize("line", ["hourly", "61 * * * *", "0 3 * *", "0 0 31 2 *"])
def test_a_line_that_is_no_schedule_is_told_in_one_line(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAFFRAIL_RETRAIN_CRON", line)
    get_settings.cache_clear()

    with pytest.raises(SettingsError) as raised:
        get_settings()

    assert str(raised.value).startswith(f"TAFFRAIL_RETRAIN_CRON: '{line}' ")
    assert "wanted" in str(raised.value)
    assert "\n" not in str(raised.value)


def _due(engine: Engine, settings: Settings, now: datetime) -> Due | None:
    with transaction(engine) as session:
        return outlook(session, settings, now=now).due


def _run(engine: Engine, slot: Slot, state: RetrainingState) -> None:
    with transaction(engine) as session:
        held = begin_retraining(session, why="test", holder="here:1", now_s=0.0, lease_s=1.0, slot=slot)
        assert isinstance(held, HeldRetraining)
        end_retraining(session, held, state, note="")


def _site(engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch, samples: list[TrainingSample]) -> LearningSite:
    site = LearningSite(engine, folder / "home", monkeypatch, retrain_after="2", held_out_share="0.4")
    site.label(samples)
    add_noop_champion(engine, site.settings.models_dir)
    return site


def _by_hand(site: LearningSite, steps: FakeSteps) -> RetrainOutcome | Occupied:
    return retrain(site.engine, site.settings, RetrainRequest(), progress=lambda *_: None, steps=steps)


def _retrain(site: LearningSite, steps: FakeSteps) -> RetrainOutcome | Occupied | None:
    return retrain_if_due(site.engine, site.settings, RetrainRequest(), progress=lambda *_: None, steps=steps)
