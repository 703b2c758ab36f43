"""One page of a quick review: the likeliest wrong images of a job, recorded as an export before anyone looks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from annotator.export.duplicates import LOOKED_THROUGH, one_of_each, stands_for
from annotator.export.export_flagged import export_item, recorded
from annotator.export.select import Chosen
from annotator.export.write import ExportItem, WrittenItem, shown_state
from db.domain.species import NO_FISH
from db.session import reading, transaction
from db.store.duplicates import record_duplicates
from db.store.error_probabilities import refresh_error_probabilities
from db.store.quick_queue import OPEN, count_of_job, next_of_job
from db.store.results import models_of_job
from db.store.review_queue import load_candidates
from db.store.reviews import record_export

# A page that nobody answered (a closed tab) is shown to others after this long.
LENT_FOR = timedelta(minutes=20)


@dataclass(frozen=True)
class QuickItem:
    """One image of a page. probabilities: the answer's, the most probable species first."""

    number: int
    item: ExportItem
    probabilities: tuple[tuple[str, float], ...]

    @property
    def group(self) -> str:
        """The species whose row the image is shown in."""
        return self.item.answer.species if self.item.answer is not None else NO_FISH


@dataclass(frozen=True)
class QuickPage:
    """Some images of a job, by their number in the export that they are recorded in. left: those that wait besides."""

    export_id: str
    model_version: str | None
    items: Mapping[int, QuickItem]
    left: int


def next_page(engine: Engine, job_id: int, *, size: int, now: datetime | None = None) -> QuickPage:
    """Return the next page of a job; without items where nothing waits.

    size: images. now: UTC.
    Raises:
        DatabaseError: the store cannot be used; nothing is lent then.
    """
    moment = now or datetime.now(UTC)
    with reading(engine) as session:
        models = models_of_job(session, job_id)
    for model in models:
        refresh_error_probabilities(engine, model)
    with transaction(engine) as session:
        waiting = next_of_job(session, job_id, limit=size + LOOKED_THROUGH, lent_since=moment - LENT_FOR)
        candidates = load_candidates(session, waiting, with_heatmaps=False)
        groups = one_of_each(waiting, candidates)
        shown = [
            stands_for(export_item(Chosen(key, False), candidates[key]), groups.alike.get(key, ()))
            for key in groups.shown[:size]
        ]
        written = [WrittenItem(number, item, "", shown_state(item)) for number, item in enumerate(shown, start=1)]
        export_id = uuid.uuid4().hex
        model_version = models[0] if len(models) == 1 else None
        if written:
            record_export(
                session,
                map(recorded, written),
                export_id=export_id,
                folder=OPEN,
                model_version=model_version,
                flag_below=None,
            )
            record_duplicates(session, export_id, {one.number: one.item.duplicates for one in written})
        left = count_of_job(session, job_id, lent_since=moment - LENT_FOR)
    items = {one.number: QuickItem(one.number, one.item, _ranked(one.item)) for one in written}
    return QuickPage(export_id, model_version, items, left)


def _ranked(item: ExportItem) -> tuple[tuple[str, float], ...]:
    shares = item.answer.probabilities if item.answer is not None else {}
    return tuple(sorted(shares.items(), key=lambda pair: -pair[1]))
