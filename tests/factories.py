"""Makes what many tests need: a model that needs no network, pictures, a HOME."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import Engine

from db.domain.model_versions import ModelCard, ModelState
from db.domain.species import DEFAULT_LABEL_SET
from db.session import transaction
from db.tables import ModelVersionRow
from worker.model_files import card_to_json, model_folder
from worker.serve import NOOP_KIND


def add_noop_champion(engine: Engine, models_dir: Path, *, model_id: str = "noop", state: str = "champion") -> str:
    """Register a model whose answers depend on a few pixels only; everything around it is the real thing."""
    card = ModelCard(kind=NOOP_KIND, trunk="", layer="", input_hw=(90, 160), species=DEFAULT_LABEL_SET.names, heads=())
    folder = model_folder(models_dir, model_id)
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(b"no network")
    sha256 = hashlib.sha256(b"no network").hexdigest()
    (folder / "card.json").write_text(card_to_json(card, sha256=sha256), encoding="utf-8")
    row = ModelVersionRow(
        id=model_id,
        state=ModelState(state),
        sha256=sha256,
        card={"species": list(card.species), "input_hw": list(card.input_hw)},
        note="",
        created_at=datetime.now(UTC),
    )
    with transaction(engine) as session:
        session.add(row)
    return model_id


def write_pictures(folder: Path, count: int, *, seed: int = 0) -> list[Path]:
    """Write JPEGs that all differ."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    files = [folder / f"{number:04d}.jpg" for number in range(count)]
    for file in files:
        small = Image.fromarray(rng.integers(0, 255, (9, 16, 3), dtype=np.uint8))
        small.resize((320, 180)).save(file, quality=80)
    return files
