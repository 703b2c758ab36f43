"""A job of small images in a real store, with a model's answers and the truth: for plans and catch figures."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import Engine

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import DEFAULT_LABEL_SET, NO_FISH
from db.session import transaction
from db.store.folders import path_digest
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.jobs import ItemRow, JobRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import DetectionRow, PredictionRow

CAMERAS, DAYS = 4, 3
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_FISH = Box(4, 4, 24, 16)
_SHARES = {"ALB": 0.5, "BET": 0.1, NO_FISH: 0.4}

Truth = dict[str, ImageLabel]


def hold_job(engine: Engine, root: Path, *, images: int, right: float = 0.8, seed: int = 0, pending: int = 0) -> Truth:
    """Return the truth by content of a job that is held as number 1, answered by champion `m1`.

    right: the share of answers that are; the error probability knows them about. Every camera has a folder of its own,
    the days go round. pending: so many images more that have no answer yet.
    """
    rng = np.random.default_rng(seed)
    with transaction(engine) as session:
        card: dict[str, object] = {"species": list(DEFAULT_LABEL_SET.names)}
        session.add(ModelVersionRow(id="m1", state="champion", sha256="0", card=card, note="", created_at=_NOW))
        session.add(JobRow(id=1, root=os.fsencode(root), root_digest="r", created_at=_NOW))
        for camera in range(CAMERAS):
            folder = root / f"trip_{camera // 2}" / f"camera_{camera}"
            folder.mkdir(parents=True)
            session.add(CameraRow(id=camera + 1, name=folder.name))
            session.flush()
            digest = path_digest(os.fsencode(folder))
            session.add(FolderRow(id=camera + 1, path=os.fsencode(folder), digest=digest, camera_id=camera + 1))
        session.flush()
    truth: Truth = {}
    with transaction(engine) as session:
        for number in range(1, images + pending + 1):
            camera = number % CAMERAS
            path = root / f"trip_{camera // 2}" / f"camera_{camera}" / f"{number}.png"
            Image.new("RGB", (64, 36), (number % 251, number // 251, 120)).save(path)
            species = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
            is_right = bool(rng.random() < right)
            answered = species if is_right else str(rng.choice([name for name in _SHARES if name != species]))
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            boxes = () if species == NO_FISH else (LabelledBox(_FISH, species),)
            truth[sha256] = ImageLabel(species, boxes)
            error = float(np.clip(rng.normal(0.15 if is_right else 0.5, 0.1), 0.01, 0.99))
            rows = _rows(path, number, camera, sha256, answered, error, has_answer=number <= images)
            for level in rows:
                session.add_all(level)
                session.flush()
    return truth


def _rows(
    path: Path, number: int, camera: int, sha256: str, answered: str, error: float, *, has_answer: bool
) -> list[list[object]]:
    day = 1 + number % DAYS
    image = ImageRow(id=number, sha256=sha256, width_px=64, height_px=36, captured_at=f"2026-01-0{day}T10:00:00")
    file = FileRow(
        id=number, folder_id=camera + 1, name=os.fsencode(path.name), size_bytes=1, mtime_ns=1, image_id=number
    )
    item = ItemRow(
        job_id=1, file_id=number, state="done" if has_answer else "pending", size_bytes=1, mtime_ns=1,
        prediction_id=number if has_answer else None,
    )  # fmt: skip
    if not has_answer:
        return [[image], [file], [item]]
    shares = [0.86 if name == answered else 0.02 for name in DEFAULT_LABEL_SET.names]
    prediction = PredictionRow(
        id=number, image_id=number, model_version_id="m1", parameters="p", species=answered,
        box_probabilities=shares, heatmap_probabilities=shares, agreement=1.0 - error, iou=0.9, species_distance=0.1,
        box_entropy=0.1, heatmap_entropy=0.1, box_confidence=0.9, heatmap_confidence=0.9, fish_count=1,
        error_probability=error, infer_ms=1.0, created_at=_NOW,
    )  # fmt: skip
    detection = DetectionRow(
        prediction_id=number, head="box_species", species=answered, confidence=0.9,
        x_min=_FISH.x_min, y_min=_FISH.y_min, x_max=_FISH.x_max, y_max=_FISH.y_max,
    )  # fmt: skip
    return [[image], [file], [prediction], [item], [detection]]
