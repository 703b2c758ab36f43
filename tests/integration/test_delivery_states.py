"""Delivery as a state machine: any order of what people, workers and clocks do, against a model of a few lines.

The model does not know how batches are made, split or sent. It knows what must hold: an item that waits is in work or
can be claimed, once; what is written comes from the claim that was still valid; an image is quarantined for its own
deaths only; and whatever happened, working on until nothing waits ends every item.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import aliased

from db.domain.boxes import Box
from db.domain.files import FoundFile
from db.domain.jobs import BatchState, Claim, ItemState
from db.domain.labels import ImageLabel
from db.domain.outcomes import ItemOutcome, NewPrediction, SeenImage
from db.domain.predictions import Agreement, Detection, Head, Prediction
from db.migrate import open_database
from db.session import reading, transaction
from db.store.batches import DEATHS_ALONE, claim, give_back, mark_expired_dead, mark_worker_dead
from db.store.jobs import cancel_job, make_batches, new_scan, open_job, register_files, register_items, retry_job
from db.store.labels import NewLabel, add_labels
from db.store.predictions import finish
from db.tables.base import Base
from db.tables.images import FileRow, ImageRow
from db.tables.jobs import BatchRow, ItemRow
from db.tables.labels import LabelRow
from db.tables.predictions import DetectionRow, PredictionRow
from tests.factories import add_noop_champion

LEASE_S = 60.0
TORN = 3  # the content that gives no image
NAMES = ["a", "b", "c"]  # few, so that things happen to the same file
CONTENTS = [0, 1, 2, TORN]
ROOT = b"/trip"
_AGREEMENT = Agreement(1.0, 1.0, 0.0, 0.1, 0.1, 0.9, 0.9, 1)
# A night's run asks for thousands.
EXAMPLES = settings(
    max_examples=int(os.environ.get("TAFFRAIL_TEST_EXAMPLES", "20")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],  # a failing order is printed as it is; making it shorter takes many minutes
)
_FISH = Detection(Box(1.0, 1.0, 5.0, 5.0), "ALB", 0.9, Head.BOX_SPECIES)


@dataclass
class Held:
    """A claim as the model sees it. read: item id -> the content its worker read. left: names asked again since."""

    claim: Claim
    worker: str
    read: dict[int, int]
    valid: bool = True
    left: set[str] = field(default_factory=set)

    @property
    def inside(self) -> dict[int, str]:
        """The items that the claim still speaks of: id -> name."""
        names = {item.item_id: item.path.rpartition(b"/")[2].decode() for item in self.claim.items}
        return {item: name for item, name in names.items() if name not in self.left}


@dataclass(frozen=True)
class Stored:
    """An item as the database has it. evaluated: the content its prediction is of; of_file: the content of its file."""

    state: ItemState
    evaluated: str | None
    of_file: str | None


@dataclass
class ModelItem:
    """What the model knows of an item. alone: deaths of claims that it was alone in."""

    state: ItemState = ItemState.PENDING
    content: int = TORN
    version: int = 0
    alone: int = 0


@dataclass
class Model:
    """The disk and the items. disk: name -> (content, version). files: name -> (version, content), as registered."""

    disk: dict[str, tuple[int, int]] = field(default_factory=dict)
    files: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    items: dict[str, ModelItem] = field(default_factory=dict)
    predicted: set[int] = field(default_factory=set)
    labels: set[tuple[int, str]] = field(default_factory=set)
    in_force: dict[int, str] = field(default_factory=dict)
    versions: int = 0
    workers: int = 0
    now_s: float = 1_000_000.0


class DeliveryMachine(RuleBasedStateMachine):
    """Every rule is one thing that somebody may do at any moment."""

    engine: Engine

    @initialize(
        contents=st.fixed_dictionaries(dict.fromkeys(NAMES, st.sampled_from(CONTENTS))), batch_items=st.integers(1, 3)
    )
    def begin(self, contents: dict[str, int], batch_items: int) -> None:
        with transaction(self.engine) as session:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name != "model_versions":
                    session.execute(delete(table))
        self.model = Model()
        self.held: list[Held] = []
        self.the_folder_is_enqueued(contents, batch_items)

    @rule(name=st.sampled_from(NAMES), content=st.sampled_from(CONTENTS))
    def a_file_is_written(self, name: str, content: int) -> None:
        self._write(name, content)

    @rule(changes=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CONTENTS)), batch_items=st.integers(1, 3))
    def the_folder_is_enqueued(self, changes: dict[str, int], batch_items: int) -> None:
        for name, content in changes.items():
            self._write(name, content)
        with transaction(self.engine) as session:
            self.job_id = open_job(session, ROOT, model_asked=None)
            scan = new_scan()
            register_files(session, [self._found(name) for name in self.model.disk], root=ROOT, scan=scan)
            register_items(session, self.job_id, scan=scan)
            make_batches(session, self.job_id, batch_items=batch_items)
        for name, (_, version) in self.model.disk.items():
            self._register(name)
            known = self.model.items.get(name)
            if known is None or known.version != version:
                self.model.items[name] = ModelItem(version=version)
                for held in self.held:
                    held.left.add(name)

    @precondition(lambda self: self._claimable())
    @rule(data=st.data())
    def a_worker_claims(self, data: st.DataObject) -> None:
        self._claim(data.draw(st.sampled_from(self._claimable())))

    @rule()
    def workers_claim_everything(self) -> None:
        for batch_id in self._claimable():
            self._claim(batch_id)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def a_message_comes_twice(self, data: st.DataObject) -> None:
        again = data.draw(st.sampled_from(self.held))
        if again.valid:
            with transaction(self.engine) as session:
                other = claim(session, again.claim.batch_id, worker="other", now_s=self.model.now_s, lease_s=LEASE_S)
            assert other is None

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def a_worker_finishes(self, data: st.DataObject) -> None:
        self._finish(self.held.pop(data.draw(st.integers(0, len(self.held) - 1))))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def a_worker_gives_back(self, data: st.DataObject) -> None:
        held = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        with transaction(self.engine) as session:
            assert give_back(session, held.claim) == held.valid

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def a_worker_dies(self, data: st.DataObject) -> None:
        held = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        with transaction(self.engine) as session:
            assert mark_worker_dead(session, held.worker, reason="its worker died") == int(held.valid)
        if held.valid:
            self._count_death(held)

    @rule(moved_s=st.sampled_from([LEASE_S + 1, -7200.0, 7200.0]))
    def time_passes_or_the_clock_is_set(self, moved_s: float) -> None:
        """The claims stay held: their workers are zombies that do not know it, and may finish later."""
        self.model.now_s += moved_s
        with transaction(self.engine) as session:
            expired = mark_expired_dead(session, now_s=self.model.now_s)
        valid = [held for held in self.held if held.valid]
        assert expired == len(valid)
        for held in valid:
            held.valid = False
            self._count_death(held)

    @rule()
    def the_job_is_cancelled(self) -> None:
        with transaction(self.engine) as session:
            cancelled = cancel_job(session, self.job_id)
        waiting = [item for item in self.model.items.values() if item.state is ItemState.PENDING]
        assert cancelled == len(waiting)
        for item in waiting:
            item.state = ItemState.CANCELLED
        for held in self.held:
            held.valid = False

    @rule(batch_items=st.integers(1, 3))
    def the_job_is_retried(self, batch_items: int) -> None:
        with transaction(self.engine) as session:
            asked = retry_job(session, self.job_id)
            make_batches(session, self.job_id, batch_items=batch_items)
        ended = (ItemState.FAILED, ItemState.QUARANTINED, ItemState.CANCELLED)
        again = [name for name, item in self.model.items.items() if item.state in ended]
        assert asked == len(again)
        for name in again:
            self.model.items[name] = ModelItem(version=self.model.items[name].version)

    @precondition(lambda self: any(content != TORN for content, _ in self.model.disk.values()))
    @rule(data=st.data(), species=st.sampled_from(["ALB", "YFT"]))
    def labels_are_imported(self, data: st.DataObject, species: str) -> None:
        good = sorted(name for name, (content, _) in self.model.disk.items() if content != TORN)
        name = data.draw(st.sampled_from(good))
        content = self.model.disk[name][0]
        new = NewLabel(self._found(name), _seen(content), ImageLabel(species), "labels.json")
        with transaction(self.engine) as session:
            added = add_labels(session, [new], root=ROOT, source="ncfm")
        assert added == int(self.model.in_force.get(content) != species)
        self.model.labels.add((content, species))
        self.model.in_force[content] = species
        self.model.files[name] = (self.model.disk[name][1], content)

    @invariant()
    def items_are_as_the_model_says(self) -> None:
        stored = self._stored()
        assert {name: found.state for name, found in stored.items()} == {
            name: item.state for name, item in self.model.items.items()
        }
        for name, found in stored.items():
            known = self.model.items[name]
            assert found.evaluated == (_sha256(known.content) if known.state is ItemState.DONE else None)
            content = self.model.files[name][1]
            assert found.of_file == (None if content is None else _sha256(content))

    @invariant()
    def every_waiting_item_is_in_one_batch_that_lives(self) -> None:
        living = select(BatchRow.id).where(BatchRow.state.in_([BatchState.PENDING, BatchState.CLAIMED]))
        with reading(self.engine) as session:
            waiting = set(session.scalars(select(ItemRow.batch_id).where(ItemRow.state == ItemState.PENDING)))
            assert waiting <= set(session.scalars(living))

    @invariant()
    def nothing_is_held_twice(self) -> None:
        with reading(self.engine) as session:
            predictions = Counter(session.execute(select(PredictionRow.image_id, PredictionRow.parameters)).all())
            boxes = session.scalar(select(func.count()).select_from(DetectionRow))
            labels = session.scalar(select(func.count()).select_from(LabelRow))
            contents = Counter(session.scalars(select(ImageRow.sha256)))
        assert not predictions or max(predictions.values()) == 1
        assert not contents or max(contents.values()) == 1
        assert boxes == len(predictions) == len(self.model.predicted)
        assert labels == len(self.model.labels)

    def teardown(self) -> None:
        """Whatever happened: working on ends every item, and no claim of a valid worker stands in the way."""
        if not hasattr(self, "model"):
            return
        for held in self.held:
            self._finish(held)
        while batch_ids := self._claimable():
            for batch_id in batch_ids:
                self._claim(batch_id)
                self._finish(self.held.pop())
        self.items_are_as_the_model_says()
        assert all(item.state is not ItemState.PENDING for item in self.model.items.values())

    def _claim(self, batch_id: int) -> None:
        self.model.workers += 1
        worker = f"worker-{self.model.workers}"
        with transaction(self.engine) as session:
            taken = claim(session, batch_id, worker=worker, now_s=self.model.now_s, lease_s=LEASE_S)
        assert taken is not None
        held = Held(taken, worker, read={})
        in_work = {item for other in self.held if other.valid for item in other.inside}
        assert not in_work & set(held.inside)
        held.read = {item: self.model.disk[name][0] for item, name in held.inside.items()}
        self.held.append(held)

    def _finish(self, held: Held) -> None:
        outcomes = [_outcome(item.item_id, item.file_id, held.read[item.item_id]) for item in held.claim.items]
        with transaction(self.engine) as session:
            ours = finish(session, held.claim, outcomes, model_version="noop")
        assert ours == held.valid
        if not ours:
            return
        self.model.predicted |= {content for content in held.read.values() if content != TORN}
        for item, name in held.inside.items():
            known = self.model.items[name]
            known.content = held.read[item]
            known.state = ItemState.FAILED if known.content == TORN else ItemState.DONE
            if known.state is ItemState.DONE and self.model.files[name][0] == known.version:
                self.model.files[name] = (known.version, known.content)

    def _write(self, name: str, content: int) -> None:
        self.model.versions += 1
        self.model.disk[name] = (content, self.model.versions)

    def _register(self, name: str) -> None:
        version = self.model.disk[name][1]
        if self.model.files.get(name, (None, None))[0] != version:
            self.model.files[name] = (version, None)

    def _count_death(self, held: Held) -> None:
        stored = self._stored()
        for name in held.inside.values():
            known = self.model.items[name]
            known.alone += len(held.inside) == 1
            if stored[name].state == ItemState.QUARANTINED:
                assert known.alone >= DEATHS_ALONE, "quarantined for the deaths of others"
                known.state = ItemState.QUARANTINED
            else:
                assert known.alone < DEATHS_ALONE, "an image that kills goes on killing"

    def _claimable(self) -> list[int]:
        with reading(self.engine) as session:
            pending = select(BatchRow.id).where(BatchRow.state == BatchState.PENDING).order_by(BatchRow.id)
            return list(session.scalars(pending))

    def _stored(self) -> dict[str, Stored]:
        evaluated, of_file = aliased(ImageRow), aliased(ImageRow)
        with reading(self.engine) as session:
            rows = session.execute(
                select(FileRow.name, ItemRow.state, evaluated.sha256, of_file.sha256)
                .select_from(ItemRow)
                .join(FileRow, FileRow.id == ItemRow.file_id)
                .outerjoin(of_file, of_file.id == FileRow.image_id)
                .outerjoin(PredictionRow, PredictionRow.id == ItemRow.prediction_id)
                .outerjoin(evaluated, evaluated.id == PredictionRow.image_id)
            )
            return {name.decode(): Stored(ItemState(state), *hashes) for name, state, *hashes in rows}

    def _found(self, name: str) -> FoundFile:
        return FoundFile(ROOT, name.encode(), size_bytes=10, mtime_ns=self.model.disk[name][1])


def test_in_any_order_of_events_nothing_is_lost_doubled_or_wrong(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'taffrail.db'}")
    add_noop_champion(engine, tmp_path)

    class OnThisDatabase(DeliveryMachine):
        pass

    OnThisDatabase.engine = engine
    run_state_machine_as_test(OnThisDatabase, settings=EXAMPLES)


def _sha256(content: int) -> str:
    return f"{content:064d}"


def _seen(content: int) -> SeenImage:
    return SeenImage(_sha256(content), width_px=160, height_px=90)


def _outcome(item_id: int, file_id: int, content: int) -> ItemOutcome:
    if content == TORN:
        return ItemOutcome(item_id, file_id, reason="broken", failure="broken: torn")
    half = (0.5, 0.5)
    heatmap = np.zeros((1, 1, 2), dtype=np.float16)
    evaluated = Prediction(160, 90, half, half, (_FISH,), _AGREEMENT, heatmap, (0.0, 0.0, 1.0, 1.0))
    new = NewPrediction(evaluated, "ALB", heatmap=b"", crop_files=(None,), infer_ms=1.0)
    return ItemOutcome(item_id, file_id, image=_seen(content), prediction=new)
