"""One worker on a job, in this process: claim to commit on SQLite, and what it stored."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from db.domain.fish_size import result_parameters
from db.domain.jobs import BatchState
from db.migrate import open_database
from db.session import reading
from db.settings import Settings
from db.store.model_versions import get_champion
from db.tables.images import FileRow, FolderRow
from db.tables.jobs import BatchRow, ItemRow
from db.tables.predictions import DetectionRow, PredictionRow
from worker.images.enqueue import enqueue_folder
from worker.inference.detector import inputs_of
from worker.inference.tasks import InferWorker
from worker.storage.model_files import model_folder, read_card


@dataclass(frozen=True)
class Stored:
    """What a job's predictions say, by the file's place below its root. crops: of all images."""

    species: dict[Path, str]
    inputs: dict[Path, tuple[int, int]]
    crops: int
    runtime: str


class Site:
    """A HOME whose champion a worker serves; each round asks for the same pixels under another hash."""

    def __init__(self, settings: Settings, images: Path) -> None:
        self.settings = settings
        self._images = images
        self._engine = open_database(settings.database)
        with reading(self._engine) as session:
            champion = get_champion(session)
        if champion is None:
            raise SystemExit(f"{settings.home}: no model serves; wanted a HOME with a champion")
        self.sha256 = champion.sha256
        self.folder = model_folder(settings.models_dir, champion.model_id)
        self.card = read_card(settings.models_dir, champion.model_id)
        self.worker = InferWorker("bench", settings)

    def fresh_copy(self, number: int) -> Path:
        """Return a folder of the same images, each with bytes after its end that no decoder reads."""
        root = Path(shutil.copytree(self._images, self.settings.home / f"round-{number}"))
        for file in root.rglob("*.jpg"):
            with file.open("ab") as end:
                end.write(bytes(number + 1))
        return root

    def enqueue(self, root: Path) -> list[int]:
        """Return the batches of a new job on a folder."""
        enqueue_folder(self._engine, self.settings, os.fsencode(root))
        with reading(self._engine) as session:
            return list(session.scalars(select(BatchRow.id).where(BatchRow.state == BatchState.PENDING)))

    def serve(self, batches: list[int]) -> None:
        """Let the worker do these batches as messages would make it."""
        for batch_id in batches:
            self.worker.take_batch(batch_id)
        self.worker.drain()

    def stored(self, root: Path) -> Stored:
        """Return what was stored of a round's images.

        Raises:
            SystemExit: not every image has a prediction.
        """
        by_parameters = {result_parameters(step.input_hw): step.input_hw for step in inputs_of(self.card)}
        query = (
            select(FolderRow.path, FileRow.name, PredictionRow)
            .select_from(ItemRow)
            .join(FileRow, FileRow.id == ItemRow.file_id)
            .join(FolderRow, FolderRow.id == FileRow.folder_id)
            .join(PredictionRow, PredictionRow.id == ItemRow.prediction_id)
        )
        with reading(self._engine) as session:
            rows = [
                (Path(os.fsdecode(os.path.join(folder, name))), row) for folder, name, row in session.execute(query)
            ]
            ours = {path.relative_to(root): row for path, row in rows if path.is_relative_to(root)}
            ids = [row.id for row in ours.values()]
            crops = session.scalar(select(func.count()).where(DetectionRow.prediction_id.in_(ids))) or 0
        if len(ours) != len(list(root.rglob("*.jpg"))):
            raise SystemExit(f"{root}: {len(ours)} images have a prediction, wanted all")
        species = {path: row.species for path, row in ours.items()}
        inputs = {path: by_parameters[row.parameters] for path, row in ours.items()}
        return Stored(species, inputs, crops, next(iter(ours.values())).runtime)
