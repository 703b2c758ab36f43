"""A data set names where each label comes from; an import that runs meanwhile must not part the two."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event

from db.domain.datasets import EntryOrigin
from db.domain.labels import ImageLabel
from db.migrate import open_database
from db.session import transaction
from db.store.dataset_sources import sayings
from tests.drawn_fish import draw_fish
from tests.learning_site import LearningSite
from worker.training.data.snapshot import take_snapshot


def test_an_import_between_two_queries_leaves_each_label_with_its_own_source(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = LearningSite(open_database(postgres_url), tmp_path / "home", monkeypatch)
    (tmp_path / "boat").mkdir()
    samples = [draw_fish(tmp_path / "boat", number, "ALB", "boat") for number in range(2)]
    site.label(samples)
    other = create_engine(site.engine.url)
    importer = LearningSite(other, tmp_path / "home", monkeypatch)
    said = iter(
        [
            "LAG",
            "SHARK",
            "NoF",
            "LAG",
            "SHARK",
            "NoF",
            "LAG",
            "SHARK",
            "NoF",
            "LAG",
            "SHARK",
            "NoF",
            "LAG",
            "SHARK",
            "NoF",
        ]
    )

    def import_a_newer_label(*_statement: Any) -> None:
        if (species := next(said, None)) is not None:
            newer = [dataclasses.replace(sample, label=ImageLabel(species)) for sample in samples]
            importer.label(newer)

    event.listen(site.engine, "after_cursor_execute", import_a_newer_label)
    with transaction(site.engine) as session:
        dataset = take_snapshot(session, site.settings, champion=None)
    event.remove(site.engine, "after_cursor_execute", import_a_newer_label)

    ids = [entry.source_id for entry in dataset.entries]
    with transaction(site.engine) as session:
        held = sayings(session, corrections=[], labels=ids, predictions=[])[EntryOrigin.LABEL]
    assert [held[entry.source_id] for entry in dataset.entries] == [entry.label for entry in dataset.entries]
    other.dispose()
