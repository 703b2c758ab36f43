"""What a new head costs on images that its trunk saw before: `python -m bench.speed.new_head --home HOME --images DIR`.

A HOME's champion answers a folder; then a version of the same trunk, whose heads were changed a little, answers the
same files: without kept features, with them, and with room for them that was cleared in between. Processor time of both
passes, and whether kept features gave the answers that new ones give.
"""

from __future__ import annotations

import argparse
import operator
import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.speed.site import show_table
from bench.speed.taffrail_run import Site
from db.domain.cards import plain_card
from db.migrate import open_database
from db.session import reading, transaction
from db.settings import Settings
from db.store.model_versions import get_champion, promote, register_model
from db.tables.jobs import BatchRow
from db.tables.predictions import DetectionRow, PredictionRow
from worker.images.enqueue import enqueue_folder
from worker.inference.tasks import InferWorker
from worker.models.feature_cut import trunk_ends
from worker.storage.kept_features import forget_all, usage
from worker.storage.model_files import HeldModel, load_model_file, model_folder, read_card, save_bundle

_NEW = "new-head"
_ROOM_MIB = 8192


def main() -> int:
    """Print both passes, with and without kept features; return 1 where the answers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="A HOME with a champion; it is copied.")
    parser.add_argument("--images", type=Path, required=True, help="A folder of JPEGs.")
    parser.add_argument("--runtime", default=None, help="What runs the networks; the HOME's choice by default.")
    parser.add_argument("--without-second-stage", action="store_true", help="The detector alone.")
    asked = parser.parse_args()
    rows, said = [], []
    for room, cleared in ((0, False), (_ROOM_MIB, False), (_ROOM_MIB, True)):
        with tempfile.TemporaryDirectory(prefix="taffrail-bench-") as name:
            home = Path(shutil.copytree(asked.home, Path(name) / "home"))
            settings = Settings(home=home, runtime=asked.runtime, kept_features_mib=room)
            _add_new_head(settings, second_stage=not asked.without_second_stage)
            first_ms, again_ms = _passes(settings, asked.images, cleared=cleared)
            said.append(_answers(settings))
            rows.append(
                (
                    f"{room} MiB" + ", cleared between" * cleared,
                    first_ms,
                    again_ms,
                    first_ms / again_ms,
                    usage(home).mib,
                )
            )
    head = ["kept", "first, ms an image", "new head, ms an image", "times faster", "MiB on disk"]
    show_table(f"{asked.runtime or 'chosen runtime'}: processor time", head, rows)
    whole, kept, anew = said
    alike = sum(one[0] == other[0] for one, other in zip(whole, kept, strict=True))
    verdict = "the same" if kept == anew else "DIFFERENT"
    print(f"{len(kept)} answers of the new head by kept features and by new ones: {verdict}, to the last bit")
    print(f"without room for features: {alike} species the same, {sum(map(operator.eq, whole, kept))} in every bit")
    return int(kept != anew)


def _passes(settings: Settings, images: Path, *, cleared: bool) -> tuple[float, float]:
    """Return processor milliseconds an image of the first version's pass and of the new head's, networks loaded."""
    site = Site(settings, images)
    root, warm = site.fresh_copy(0), site.fresh_copy(1)  # bytes that no model of this HOME has answered
    taken = []
    for model in (site.folder.name, _NEW):
        worker = InferWorker("bench", settings)
        _serve(worker, settings, warm, model)  # loads, traces and converts what the images need
        if cleared:
            forget_all(settings.home)
        started = time.process_time()
        _serve(worker, settings, root, model)
        taken.append((time.process_time() - started) * 1000.0 / len(list(root.rglob("*.jpg"))))
        worker.close()
    return taken[0], taken[1]


def _serve(worker: InferWorker, settings: Settings, root: Path, model: str) -> None:
    """Let a worker do all of a folder by one model version."""
    engine = open_database(settings.database)
    job_id = enqueue_folder(engine, settings, os.fsencode(root), model=model).job_id
    with reading(engine) as session:
        batches = list(session.scalars(select(BatchRow.id).where(BatchRow.job_id == job_id)))
    for batch_id in batches:
        worker.take_batch(batch_id)
    worker.drain()


def _add_new_head(settings: Settings, *, second_stage: bool) -> None:
    """Register the champion again with other heads; both without a second stage where none is wanted."""
    engine = open_database(settings.database)
    with reading(engine) as session:
        champion = get_champion(session)
    if champion is None:
        raise SystemExit(f"{settings.home}: no model serves; wanted a HOME with a champion")
    card = read_card(settings.models_dir, champion.model_id)
    card = card if second_stage else replace(card, second_stage=None)
    model = load_model_file(model_folder(settings.models_dir, champion.model_id))
    crops = HeldModel(champion.model_id, champion.crops_sha256) if card.second_stage and champion.crops_sha256 else None
    if not second_stage:
        _register(settings, engine, "detector-alone", model, card, crops)
        with transaction(engine) as session:
            promote(session, "detector-alone", reason="bench", forced=True)
    ends = trunk_ends(model, kind=card.kind, trunk=card.trunk, layer=card.layer)
    from worker.models.keras_import import keras

    trunk = {layer.name for layer in keras.Model(model.input, ends).layers}
    for layer in model.layers:
        if layer.weights and layer.name not in trunk:
            layer.set_weights([weight * 1.01 for weight in layer.get_weights()])
    _register(settings, engine, _NEW, model, card, crops)


def _register(settings: Settings, engine: Any, model_id: str, model: Any, card: Any, crops: Any) -> None:
    hashes = save_bundle(settings.models_dir, model_id, model, card, crops=crops)
    with transaction(engine) as session:
        register_model(
            session,
            model_id,
            sha256=hashes.sha256,
            crops_sha256=hashes.crops_sha256,
            card=plain_card(card),
            note="bench",
        )


def _answers(settings: Settings) -> list[tuple[object, ...]]:
    """Return all that the new head said: every row's species, probabilities, heat map and boxes."""
    skipped = {"id", "infer_ms", "created_at", "prediction_id"}
    found: list[tuple[object, ...]] = []
    with reading(open_database(settings.database)) as session:
        query = select(PredictionRow).where(PredictionRow.model_version_id == _NEW).order_by(PredictionRow.image_id)
        for row in session.scalars(query):
            boxes = session.scalars(
                select(DetectionRow).where(DetectionRow.prediction_id == row.id).order_by(DetectionRow.id)
            )
            found.append((row.species, *(_values(one, skipped) for one in (row, *boxes))))
    return found


def _values(row: Any, skipped: set[str]) -> tuple[object, ...]:
    return tuple(getattr(row, column.name) for column in row.__table__.columns if column.name not in skipped)


if __name__ == "__main__":
    sys.exit(main())
