"""A fault of the site costs no image anything: the batch waits, and what was not reached is asked again."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from db.domain.jobs import ItemState
from db.session import reading, transaction
from db.tables.jobs import BatchRow, ItemRow
from tests.factories import write_images
from tests.integration.test_delivery import Site
from worker.inference import held_batches
from worker.inference.tasks import InferWorker


@pytest.fixture
def site(engine: Any, tmp_path: Path) -> Site:
    site = Site(engine, tmp_path)
    write_images(site.images / "cam_1", 3)
    return site


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libcudnn.so: cannot open shared object file"),
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(errno.EIO, "Input/output error"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_model_that_cannot_be_loaded_is_no_images_fault_however_often(site: Site, error: Exception) -> None:
    def load(*_: object) -> Any:
        raise error

    site.enqueue()
    worker = InferWorker("unwell", site.settings, load=load)
    for _ in range(5):
        worker.infer_batch(1)

    with reading(site.engine) as session:
        batch = session.scalars(select(BatchRow)).one()
    assert (batch.state, batch.attempts) == ("pending", 0)
    assert site.counts().quarantined == 0
    site.work()
    assert site.counts().done == 3


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_a_disk_or_a_limit_that_fails_stores_nothing(site: Site, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def fail(path: Any, *arguments: Any, **options: Any) -> int:
        if os.fsencode(path).endswith(b".jpg") and not os.path.basename(os.fsencode(path)).startswith(b"."):
            raise OSError(number, os.strerror(number), path)
        return real(path, *arguments, **options)

    site.enqueue()
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", fail)
        for _ in range(4):
            site.worker.infer_batch(1)
    assert site.counts().pending == 3

    site.work()
    assert site.counts().done == 3


def test_a_cameras_empty_place_gives_the_batch_back(site: Site, tmp_path: Path) -> None:
    write_images(site.images / "cam_2", 3, seed=1)
    site.enqueue()
    (site.images / "cam_1").rename(tmp_path / "disk")
    (site.images / "cam_1").mkdir()

    for batch_id in site.pending() * 4:
        site.worker.infer_batch(batch_id)

    assert site.counts().failed == site.counts().quarantined == 0
    (site.images / "cam_1").rmdir()
    (tmp_path / "disk").rename(site.images / "cam_1")
    site.work()
    assert site.counts().done == 6


@pytest.mark.parametrize(("reason", "asked"), [("missing", 1), ("permission", 1), ("read error", 1), ("broken", 0)])
def test_what_was_not_reached_and_is_found_again_is_asked_again(site: Site, reason: str, asked: int) -> None:
    site.enqueue()
    site.work()
    with transaction(site.engine) as session:
        session.execute(update(ItemRow).where(ItemRow.id == 1).values(state=ItemState.FAILED, reason=reason))

    again = site.enqueue()

    assert again.registered.changed == asked
    site.work()
    assert site.counts().done == 2 + asked


def test_crops_are_on_the_disk_before_rows_name_them(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    for name in ("sync_artifacts", "finish"):
        monkeypatch.setattr(held_batches, name, _noted(order, name, getattr(held_batches, name)))

    site.enqueue()
    site.work()

    assert order == ["sync_artifacts", "finish"]


def _noted(order: list[str], name: str, call: Any) -> Any:
    def noted(*arguments: Any, **options: Any) -> Any:
        order.append(name)
        return call(*arguments, **options)

    return noted
