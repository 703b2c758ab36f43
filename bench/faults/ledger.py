"""The ledger of a run: what became of every file. Two ledgers differ by what was lost, doubled or wrong."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from db.domain.jobs import BatchState, ItemState
from db.session import reading
from db.tables.images import FileRow, FolderRow, ImageRow
from db.tables.jobs import BatchRow, ItemRow
from db.tables.labels import LabelRow
from db.tables.models import PromotionRow
from db.tables.predictions import DetectionRow, PredictionRow
from db.tables.reviews import CorrectionRow

Found = tuple[str, str, float, float, float, float, float, str | None]
"""A detection: head, species, confidence, box (xyxy, pixels), the hash of its crop file."""


@dataclass(frozen=True)
class Entry:
    """What became of one file: its state, the reason where there is no result, else all that is stored of it.

    probabilities: of the box head and of the heat-map head. heatmap: the hash of what is stored of it.
    """

    state: str
    reason: str | None = None
    sha256: str | None = None
    evaluation: tuple[str, str, float] | None = None
    found: tuple[Found, ...] = ()
    size_px: tuple[int | None, int | None] | None = None
    probabilities: tuple[tuple[float, ...], ...] = ()
    heatmap: str | None = None


Ledger = Mapping[str, Entry]


@dataclass(frozen=True)
class Difference:
    """How a run differs from the quiet one, in items; `examples` names a few."""

    lost: int
    doubled: int
    wrong: int
    examples: tuple[str, ...]

    @property
    def none(self) -> bool:
        """Whether nothing was lost, doubled or wrong."""
        return not (self.lost or self.doubled or self.wrong)


def read_ledger(engine: Engine, *, root: Path, home: Path) -> dict[str, Entry]:
    """Return the entry of every item, by its path below root."""
    with reading(engine) as session:
        found = _detections_by_prediction(session, home)
        rows = session.execute(
            select(
                FolderRow.path,
                FileRow.name,
                ItemRow.state,
                ItemRow.reason,
                ImageRow.sha256,
                PredictionRow.id,
                PredictionRow.model_version_id,
                PredictionRow.species,
                PredictionRow.agreement,
                ImageRow.width_px,
                ImageRow.height_px,
                PredictionRow.box_probabilities,
                PredictionRow.heatmap_probabilities,
                PredictionRow.heatmap,
            )
            .select_from(ItemRow)
            .join(FileRow, FileRow.id == ItemRow.file_id)
            .join(FolderRow, FolderRow.id == FileRow.folder_id)
            .outerjoin(ImageRow, ImageRow.id == FileRow.image_id)
            .outerjoin(PredictionRow, PredictionRow.id == ItemRow.prediction_id)
        ).all()
    ledger = {}
    for folder, name, state, reason, sha256, prediction, model, species, agreement, *more in rows:
        evaluation = (model, species, agreement) if prediction else None
        path = os.fsdecode(os.path.relpath(folder + b"/" + name, os.fsencode(root)))
        ledger[path] = Entry(state, reason, sha256, evaluation, found.get(prediction, ()), *_more(*more))
    return ledger


def _more(
    width_px: int | None,
    height_px: int | None,
    boxes: list[float] | None,
    heats: list[float] | None,
    heatmap: bytes | None,
) -> tuple[tuple[int | None, int | None] | None, tuple[tuple[float, ...], ...], str | None]:
    probabilities = tuple(tuple(row) for row in (boxes, heats) if row is not None)
    size_px = None if width_px is None and height_px is None else (width_px, height_px)
    return size_px, probabilities, hashlib.sha256(heatmap).hexdigest() if heatmap else None


def leftovers(engine: Engine, *, home: Path, orphans_too: bool, made: Mapping[str, int]) -> list[str]:
    """Return what a run must not leave behind: claims, crops that no row names, errors that nobody foresaw.

    made: how many labels, corrections and promotions the fault made itself; one more or less is told.
    """
    with reading(engine) as session:
        claimed = session.scalar(select(func.count()).where(BatchRow.state == BatchState.CLAIMED)) or 0
        named = set(session.scalars(select(DetectionRow.crop_file)))
        rows = {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in (("labels", LabelRow), ("corrections", CorrectionRow), ("promotions", PromotionRow))
        }
    crops = {str(file.relative_to(home)) for file in (home / "crops").rglob("[!.]*.jpg")}
    found = {
        "batches are still claimed": claimed,
        "crops are named by no row": len(crops - named) if orphans_too else 0,
        "logs of unforeseen errors": int((home / "errors.log").exists()),
    }
    wanted = {name: made.get(name, 0) for name in rows}
    other = [f"{count} {name}, wanted {wanted[name]}" for name, count in rows.items() if count != wanted[name]]
    return [f"{count} {what}" for what, count in found.items() if count] + other


def compare(expected: Ledger, engine: Engine, *, root: Path, home: Path) -> Difference:
    """Return what of the expected was lost, what there is twice, and what is not as it should be."""
    ledger = read_ledger(engine, root=root, home=home)
    examples = []
    lost, wrong = [], []
    for path, entry in expected.items():
        found = ledger.get(path)
        if found is None or found.state == ItemState.PENDING:
            lost.append(path)
        elif found != entry:
            wrong.append(path)
            different = [one.name for one in fields(Entry) if getattr(found, one.name) != getattr(entry, one.name)]
            examples.append(f"{path}: {_told(found)}, wanted {_told(entry)}; {', '.join(different)} differ")
    wrong += [path for path in ledger if path not in expected]
    examples += [f"{path}: lost" for path in lost]
    return Difference(len(lost), _doubled(engine), len(wrong), tuple(examples[:5]))


def _detections_by_prediction(session: Session, home: Path) -> dict[int, tuple[Found, ...]]:
    found: dict[int, list[Found]] = {}
    for row in session.scalars(select(DetectionRow)):
        box = (row.x_min, row.y_min, row.x_max, row.y_max)
        crop = _hash_of(home / row.crop_file) if row.crop_file else None
        found.setdefault(row.prediction_id, []).append((row.head, row.species, row.confidence, *box, crop))
    return {prediction: tuple(sorted(each, key=str)) for prediction, each in found.items()}


def _hash_of(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return f"no crop: {error.strerror}"


def _doubled(engine: Engine) -> int:
    """Return how many predictions, items and boxes there are beyond one of each."""
    predictions = select(PredictionRow.image_id, PredictionRow.model_version_id, PredictionRow.parameters)
    items = select(ItemRow.job_id, ItemRow.file_id)
    boxes = select(DetectionRow.prediction_id, DetectionRow.head, DetectionRow.x_min, DetectionRow.y_min)
    images = select(ImageRow.sha256)
    with reading(engine) as session:
        return sum(
            count - 1
            for rows in (predictions, items, boxes, images)
            for count in Counter(map(tuple, session.execute(rows))).values()
        )


def _told(entry: Entry) -> str:
    return " ".join(str(part) for part in (entry.state, entry.reason, entry.evaluation) if part)


_COUNT_CLAIMS = {
    "sqlite": (
        "CREATE TABLE bench_claims (item_id INTEGER)",
        "CREATE TRIGGER bench_claims AFTER UPDATE OF token ON batches WHEN NEW.token IS NOT NULL"
        " AND NEW.token IS NOT OLD.token BEGIN INSERT INTO bench_claims"
        " SELECT id FROM items WHERE batch_id = NEW.id AND state = 'pending'; END",
    ),
    "postgresql": (
        "CREATE TABLE bench_claims (item_id BIGINT)",
        "CREATE FUNCTION count_claims() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO bench_claims"
        " SELECT id FROM items WHERE batch_id = NEW.id AND state = 'pending'; RETURN NULL; END $$",
        "CREATE TRIGGER bench_claims AFTER UPDATE OF token ON batches FOR EACH ROW WHEN (NEW.token IS NOT NULL"
        " AND NEW.token IS DISTINCT FROM OLD.token) EXECUTE FUNCTION count_claims()",
    ),
}


def count_claims_from_now(engine: Engine) -> None:
    """Let the database itself note every claim, item by item: no worker can forget to tell."""
    with engine.begin() as connection:
        for statement in _COUNT_CLAIMS[engine.dialect.name]:
            connection.execute(text(statement))


def count_claims(engine: Engine) -> int:
    """Return how often an item was claimed so far."""
    with reading(engine) as session:
        return int(session.execute(text("SELECT count(*) FROM bench_claims")).scalar_one())


def claims_an_item(engine: Engine) -> float:
    """Return how often an item was claimed, on average; 1.0 is a quiet run."""
    with reading(engine) as session:
        items = session.scalar(select(func.count()).select_from(ItemRow)) or 1
    return count_claims(engine) / items
