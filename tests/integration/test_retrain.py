"""Retraining: what it learns from, who evaluates, one at a time, and a champion that stays where anything is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from db.domain.datasets import EntryOrigin
from db.domain.labels import ImageLabel
from db.domain.model_versions import ModelState
from db.domain.retrainings import Occupied, RetrainingState, Slot
from db.errors import DatabaseError, NotFoundError
from db.migrate import open_database
from db.progress import StageProgress
from db.session import reading, transaction
from db.store.datasets import current_series, get_dataset
from db.store.model_versions import get_champion, get_model, list_models, list_promotions, promote
from db.store.retrainings import begin_retraining, list_retrainings
from db.tables.datasets import RetrainingRow
from tests.conftest import skip_or_fail
from tests.drawn_fish import draw_fish
from tests.factories import add_noop_champion
from tests.learning_site import FakeSteps, LearningSite
from worker.models.errors import ModelFileError
from worker.retraining.lease import LeaseLost
from worker.retraining.retrain import RetrainOutcome, RetrainRequest, retrain
from worker.steps.requests import ANSWER_HELD_OUT, FIT_CANDIDATE, Step
from worker.storage.model_files import check_model_file, read_card, save_model
from worker.training.data.samples import TrainingSample
from worker.training.data.snapshot import SnapshotError, take_snapshot

KINDS = ("ALB", "LAG", "NoF")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSample]:
    """Eight images of each of five cameras, each camera a folder."""
    root = tmp_path_factory.mktemp("fleet")
    found = []
    for number in range(40):
        folder = root / f"boat_{number % 5}"
        folder.mkdir(exist_ok=True)
        found.append(draw_fish(folder, number, KINDS[number // 5 % 3], folder.name))
    return found


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LearningSite:
    engine = open_database(f"sqlite:///{tmp_path / 'taffrail.db'}")
    return LearningSite(engine, tmp_path / "home", monkeypatch, held_out_share="0.4")


@pytest.fixture
def any_site(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LearningSite:
    """The same once on SQLite and once on Postgres, where the database's own ways matter."""
    return LearningSite(engine, tmp_path / "home", monkeypatch, held_out_share="0.4")


@pytest.fixture
def small_disk(site: LearningSite) -> Iterator[Path]:
    """The models' folder on a disk of one MiB."""
    site.settings.models_dir.mkdir()
    options = ["-o", "size=1m,mode=700", "tmpfs", str(site.settings.models_dir)]
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", *options], check=False).returncode:
        skip_or_fail("needs root: mounts a tmpfs")
    yield site.settings.models_dir
    subprocess.run(["umount", str(site.settings.models_dir)], check=True)


@pytest.fixture
def steps(request: pytest.FixtureRequest) -> FakeSteps:
    site = request.getfixturevalue("any_site" if "any_site" in request.fixturenames else "site")
    return FakeSteps(site.settings, site.engine)


def test_a_better_candidate_serves_with_everything_on_its_card(
    any_site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]
) -> None:
    champion = _ready(any_site, samples)

    done = _retrain(any_site, steps)

    assert isinstance(done, RetrainOutcome) and done.state is RetrainingState.PROMOTED and done.kept is not None
    with reading(any_site.engine) as session:
        serving = get_model(session, done.kept.model_id)
        record = list_promotions(session)[0]
        run = list_retrainings(session)[0]
    card = serving.card
    assert serving.state is ModelState.CHAMPION and card.parent == champion
    assert card.dataset_sha256 == done.dataset.sha256
    assert card.metrics["accuracy"] == 1.0 and card.gate is not None and card.gate.champion == champion
    assert set(card.metrics_by["camera"]) == set(done.dataset.held_out_cameras)
    assert (record.model_id, record.previous_id, record.forced) == (serving.model_id, champion, False)
    assert (run.state, run.model_id) == (RetrainingState.PROMOTED, serving.model_id)
    assert sorted(os.listdir(any_site.settings.models_dir)) == sorted([champion, serving.model_id])


def test_a_worse_candidate_stays_one_and_says_why(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]
) -> None:
    champion = _ready(site, samples)
    steps.sure = {"champion": 0.8, "candidate": 0.4}

    done = _retrain(site, steps)

    assert isinstance(done, RetrainOutcome) and done.state is RetrainingState.KEPT and done.kept is not None
    with reading(site.engine) as session:
        kept = get_model(session, done.kept.model_id)
        assert kept.state is ModelState.CANDIDATE and kept.note.startswith("not surely better; ")
        assert "log loss +0.693" in kept.note  # -ln 0.4 + ln 0.8
        assert get_model(session, champion).state is ModelState.CHAMPION
        assert list_promotions(session) == []


def test_a_persons_word_counts_before_a_label_and_both_before_what_the_champion_is_sure_of(
    site: LearningSite, samples: list[TrainingSample]
) -> None:
    _ready(site, samples[:20])
    fish = next(sample for sample in samples if sample.label.species == "ALB")
    site.correct({fish.sha256: ImageLabel("NoF")})

    with transaction(site.engine) as session:
        taken = take_snapshot(session, site.settings, champion=None)
        again = get_dataset(session, taken.dataset_id)

    by_hash = {entry.place.sha256: entry for entry in taken.entries}
    assert by_hash[fish.sha256].label == ImageLabel("NoF")
    assert (by_hash[fish.sha256].origin, by_hash[fish.sha256].weight) == (EntryOrigin.CORRECTION, 2.0)
    assert {entry.weight for entry in taken.entries if entry.origin is EntryOrigin.LABEL} == {1.0}
    assert again == taken


def test_a_data_set_stays_as_it_was_taken_whatever_is_said_later(
    any_site: LearningSite, samples: list[TrainingSample]
) -> None:
    _ready(any_site, samples)
    with transaction(any_site.engine) as session:
        before = take_snapshot(session, any_site.settings, champion=None)
    any_site.correct({samples[0].sha256: ImageLabel("NoF")})

    with transaction(any_site.engine) as session:
        after = take_snapshot(session, any_site.settings, champion=None)

    with reading(any_site.engine) as session:
        assert get_dataset(session, before.dataset_id) == before
    assert after.dataset_id != before.dataset_id and after.sha256 != before.sha256


def test_held_out_cameras_stay_and_new_ones_join_by_rule(site: LearningSite, samples: list[TrainingSample]) -> None:
    _ready(site, [sample for sample in samples if sample.camera in ("boat_0", "boat_1", "boat_2")])
    with transaction(site.engine) as session:
        first = take_snapshot(session, site.settings, champion=None)
    site.label(samples)

    with transaction(site.engine) as session:
        second = take_snapshot(session, site.settings, champion=None)
        series = current_series(session)

    assert series is not None and second.series_id == first.series_id
    assert set(first.held_out_cameras) <= set(second.held_out_cameras) < set(series.sides)
    learnt = {entry.place.camera for entry in first.entries if not entry.held_out}
    assert learnt.isdisjoint(second.held_out_cameras)


def test_nothing_new_trains_nothing(site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]) -> None:
    _ready(site, samples)
    first = _retrain(site, steps)
    steps.calls.clear()

    second = _retrain(site, steps)

    assert isinstance(first, RetrainOutcome) and isinstance(second, RetrainOutcome) and first.kept is not None
    assert second.state is RetrainingState.NOTHING_NEW and first.kept.model_id in second.note
    assert steps.calls == []
    assert isinstance(again := _retrain(site, steps, again=True), RetrainOutcome) and again.kept is not None


def test_two_at_once_make_one_model(any_site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]) -> None:
    _ready(any_site, samples)
    inside, go_on = threading.Event(), threading.Event()
    results: list[RetrainOutcome | Occupied] = []

    def slow(step: Step[Any, Any], request: Any, *, progress: StageProgress) -> Any:
        inside.set()
        assert go_on.wait(30)
        return steps(step, request, progress=progress)

    first = threading.Thread(target=lambda: results.append(_retrain(any_site, slow)))
    first.start()
    assert inside.wait(30)
    second = _retrain(any_site, steps)
    go_on.set()
    first.join()

    assert isinstance(second, Occupied) and "a retraining runs already" in second.reason
    assert isinstance(results[0], RetrainOutcome) and results[0].state is RetrainingState.PROMOTED
    with reading(any_site.engine) as session:
        assert len(list_models(session)) == 2


def test_a_dead_ones_place_is_free_and_its_slot_is_run_again(
    any_site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]
) -> None:
    _ready(any_site, samples)
    slot = Slot("cron", "2026-01-01T03:00")
    with transaction(any_site.engine) as session:
        begin_retraining(session, why="cron", holder="elsewhere:1", now_s=0.0, lease_s=60.0, slot=slot)

    by_hand = _retrain(any_site, steps)
    scheduled = _retrain(any_site, steps, slot=slot, again=True)
    once_more = _retrain(any_site, steps, slot=slot, again=True)

    assert isinstance(by_hand, RetrainOutcome) and isinstance(scheduled, RetrainOutcome)
    assert isinstance(once_more, Occupied) and "was run already" in once_more.reason
    with reading(any_site.engine) as session:
        runs = {run.retraining_id: run for run in list_retrainings(session)}
    assert (runs[1].attempts, runs[1].slot) == (2, slot) and len(runs) == 2


def test_a_killed_one_leaves_nothing_in_the_way(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]
) -> None:
    champion = _ready(site, samples)
    with subprocess.Popen([sys.executable, "-c", _STUCK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "training\n"
        assert [name for name in os.listdir(site.settings.models_dir) if name != champion]  # its folder to work in
        process.kill()

    done = _retrain(site, steps)

    assert isinstance(done, RetrainOutcome) and done.state is RetrainingState.PROMOTED and done.kept is not None
    assert sorted(os.listdir(site.settings.models_dir)) == sorted([champion, done.kept.model_id])
    with reading(site.engine) as session:
        states = {run.retraining_id: run.state for run in list_retrainings(session)}
    assert states == {1: RetrainingState.ABANDONED, 2: RetrainingState.PROMOTED}


_STUCK = """
import signal
from db.migrate import open_database
from db.settings import get_settings
from worker.retraining.retrain import RetrainRequest, retrain

def stuck(step, request, *, progress):
    print("training", flush=True)
    signal.pause()

settings = get_settings()
retrain(open_database(settings.database), settings, RetrainRequest(), progress=lambda *_: None, steps=stuck)
"""


def test_one_that_was_taken_over_registers_nothing(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]
) -> None:
    champion = _ready(site, samples)

    def overtaken(step: Step[Any, Any], request: Any, *, progress: StageProgress) -> Any:
        with transaction(site.engine) as session:
            session.execute(update(RetrainingRow).values(token="another's"))
        return steps(step, request, progress=progress)

    with pytest.raises(LeaseLost):
        _retrain(site, overtaken)

    with reading(site.engine) as session:
        assert [model.model_id for model in list_models(session)] == [champion]
    assert os.listdir(site.settings.models_dir) == [champion]


def test_a_model_whose_row_was_made_keeps_its_files_though_the_answer_was_lost(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample], monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = _ready(site, samples)

    @contextlib.contextmanager
    def answer_lost(engine: Engine) -> Iterator[Session]:
        with transaction(engine) as session:
            yield session
        raise DatabaseError("the connection was lost")

    monkeypatch.setattr("worker.retraining.keep_candidate.transaction", answer_lost)
    with pytest.raises(DatabaseError):
        _retrain(site, steps)

    with reading(site.engine) as session:
        serving = get_champion(session)
        assert list_retrainings(session)[0].state is RetrainingState.PROMOTED
    assert serving is not None and serving.model_id != champion
    check_model_file(site.settings.models_dir, serving.model_id, serving.sha256)


def test_a_champion_that_came_meanwhile_is_not_replaced(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]
) -> None:
    _ready(site, samples)
    add_noop_champion(site.engine, site.settings.models_dir, model_id="other", state="candidate")

    def meddled(step: Step[Any, Any], request: Any, *, progress: StageProgress) -> Any:
        if step is FIT_CANDIDATE:
            with transaction(site.engine) as session:
                promote(session, "other", reason="by hand", forced=True)
        return steps(step, request, progress=progress)

    done = _retrain(site, meddled)

    assert isinstance(done, RetrainOutcome) and done.state is RetrainingState.KEPT
    assert "the champion was changed" in done.note


@pytest.mark.parametrize("failing", [FIT_CANDIDATE, ANSWER_HELD_OUT], ids=["fit", "answer"])
def test_a_step_that_fails_leaves_the_champion_and_is_written_down(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample], failing: Step[Any, Any]
) -> None:
    champion = _ready(site, samples)

    def broken(step: Step[Any, Any], request: Any, *, progress: StageProgress) -> Any:
        if step is failing:
            raise ModelFileError("model.keras: cannot be loaded (torn)")
        return steps(step, request, progress=progress)

    with pytest.raises(ModelFileError):
        _retrain(site, broken)

    with reading(site.engine) as session:
        run = list_retrainings(session)[0]
        assert [(model.model_id, model.state) for model in list_models(session)] == [(champion, ModelState.CHAMPION)]
    assert (run.state, run.note) == (RetrainingState.FAILED, "model.keras: cannot be loaded (torn)")
    assert os.listdir(site.settings.models_dir) == [champion]


def test_a_disk_that_is_full_while_saving_leaves_the_champion(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample], small_disk: Path
) -> None:
    champion = _ready(site, samples)

    def too_large(step: Step[Any, Any], request: Any, *, progress: StageProgress) -> Any:
        if step is FIT_CANDIDATE:
            card = read_card(site.settings.models_dir, champion)
            save_model(request.into, request.model, _Large(), card)
        return steps(step, request, progress=progress)

    with pytest.raises(ModelFileError, match="No space left on device"):
        _retrain(site, too_large)

    with reading(site.engine) as session:
        assert [(model.model_id, model.state) for model in list_models(session)] == [(champion, ModelState.CHAMPION)]
    assert os.listdir(site.settings.models_dir) == [champion]


class _Large:
    """A model of more bytes than the small disk has, written as Keras writes: to a file that grows."""

    def save(self, file: Path) -> None:
        with file.open("wb") as stream:
            for _ in range(64):
                stream.write(bytes(2**16))


def test_a_champion_whose_file_is_gone_or_altered_is_named(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]
) -> None:
    champion = _ready(site, samples)
    (site.settings.models_dir / champion / "model.keras").write_bytes(b"altered")

    with pytest.raises(ModelFileError, match="registered as"):
        _retrain(site, steps)

    assert steps.calls == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (lambda sample: False, "nobody has said yet"),
        (lambda sample: sample.camera == "boat_0", "images of 1 camera"),
        (lambda sample: sample.label.species == "ALB", "show ALB; a retraining needs 2 species"),
    ],
    ids=["nothing said", "one camera", "one species"],
)
def test_too_little_to_learn_from_is_one_line(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample], wanted: object, said: str
) -> None:
    _ready(site, [sample for sample in samples if wanted(sample)])  # type: ignore[operator]

    with pytest.raises(SnapshotError, match=said):
        _retrain(site, steps)


def test_without_a_champion_the_way_to_one_is_said(
    site: LearningSite, steps: FakeSteps, samples: list[TrainingSample]
) -> None:
    site.label(samples)

    with pytest.raises(NotFoundError, match="cli train"):
        _retrain(site, steps)


def _ready(site: LearningSite, samples: list[TrainingSample]) -> str:
    if samples:
        site.label(samples)
    return add_noop_champion(site.engine, site.settings.models_dir)


def _retrain(site: LearningSite, steps: FakeSteps, **asked: object) -> RetrainOutcome | Occupied:
    return retrain(
        site.engine,
        site.settings,
        dataclasses.replace(RetrainRequest(), **asked),
        progress=lambda *_: None,
        steps=steps,
    )
