"""Finds how this machine serves a model version fastest: `cli worker --tune`.

Images that are held go through the whole pipeline but the database, once for each number of images a network call,
then for each number of decoding threads. Crops go into a folder that is thrown away.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db.domain.jobs import Claim, ClaimedItem
from db.domain.model_versions import ModelState
from db.domain.outcomes import ItemOutcome
from db.domain.serving_pace import ServingPace, TriedPace, worth_it
from db.errors import NotFoundError
from db.migrate import open_database
from db.progress import Progress, StageProgress, of_stage
from db.session import reading
from db.settings import Settings, get_settings
from db.store.images import some_files
from db.store.model_versions import ModelVersion, get_champion, get_model
from worker.inference.infer import Inference
from worker.inference.load_networks import load_detector
from worker.inference.pace import keep_pace, usual_decode_threads
from worker.inference.pipeline import BatchPipeline
from worker.inference.runtimes.choices import machine_kind, served_by
from worker.models.errors import ModelError
from worker.steps.requests import TUNE, TuneRequest, TuneResult
from worker.steps.step_process import serve_step
from worker.storage.model_files import BundleHashes

_BATCHES = (4, 8, 16, 32)
_PASSES = 2
# Fewer say more of starting and ending than of serving.
_LEAST_IMAGES = 8


def tune(request: TuneRequest, progress: StageProgress) -> TuneResult:
    """Return the images a network call and the decoding threads that serve fastest here; workers take them from now on.

    Raises:
        NotFoundError: there is no such version. ModelError: too few images are held that can be read.
    """
    settings = get_settings()
    with reading(open_database(settings.database)) as session:
        model = get_champion(session) if request.model == ModelState.CHAMPION else get_model(session, request.model)
        files = some_files(session, count=request.images)
    if model is None:
        raise NotFoundError("no model serves yet; `cli labels import` and `cli train` make the first one")
    held = [file for file in files if os.path.isfile(file)]
    if len(held) < _LEAST_IMAGES:
        raise ModelError(f"{len(held)} images are held here, wanted at least {_LEAST_IMAGES}; cli enqueue brings them")
    with tempfile.TemporaryDirectory(prefix="taffrail-tune-") as name:
        tried = _Trial(_beside(settings, Path(name)), model, tuple(held)).all(of_stage(progress, "serving"))
    best = worth_it(tried)
    pace = ServingPace(
        machine=machine_kind(),
        runtime=str(served_by(settings, model.model_id, model.sha256).runtime),
        images=len(held),
        network_batch=best.network_batch,
        decode_threads=best.decode_threads,
        tried=tuple(tried),
    )
    return TuneResult(model=model.model_id, pace=pace, file=str(keep_pace(settings.home, model.model_id, pace)))


@dataclass(frozen=True)
class _Trial:
    """What is served, and where: a HOME whose crops are thrown away. files: absolute paths, bytes."""

    settings: Settings
    model: ModelVersion
    files: tuple[bytes, ...]

    def all(self, progress: Progress) -> list[TriedPace]:
        """Return every way that was tried: network batches first, then threads at the best of them."""
        usual = usual_decode_threads()
        threads = sorted({1, 2, usual, os.cpu_count() or 2} - {usual})
        batches = [size for size in _BATCHES if size <= len(self.files)]
        total = len(batches) + len(threads)
        tried: list[TriedPace] = []
        for size in batches:
            tried.append(self._tried(size, [usual])[0])
            progress(len(tried), total)
        tried += self._tried(worth_it(tried).network_batch, threads)
        progress(total, total)
        return tried

    def _tried(self, network_batch: int, threads: Sequence[int]) -> list[TriedPace]:
        """Return the paces of one network batch with some numbers of threads; the networks are loaded once."""
        # As if a user had said it: what was found before is not taken.
        settings = self.settings.model_copy(update={"network_batch": network_batch})
        hashes = BundleHashes(self.model.sha256, self.model.crops_sha256)
        inference = load_detector(settings, self.model.model_id, hashes)
        found = []
        for count in threads:
            taken_s = [self._pass_s(inference, count) for _ in range(_PASSES)]
            rate = len(self.files) / min(taken_s)
            found.append(TriedPace(network_batch=network_batch, decode_threads=count, images_per_s=round(rate, 3)))
        return found

    def _pass_s(self, inference: Inference, threads: int) -> float:
        done: list[ItemOutcome] = []
        failed: list[Exception] = []
        pipeline = BatchPipeline(
            inference,
            on_done=lambda claim, outcomes: done.extend(outcomes),
            on_failed=lambda claim, error: failed.append(error),
            decode_threads=threads,
        )
        items = tuple(ClaimedItem(number, number, file) for number, file in enumerate(self.files, start=1))
        started_s = time.perf_counter()
        pipeline.put(Claim(1, "tune", b"/", None, False, 1, items), known=lambda asked: set())
        pipeline.close()
        if failed:
            raise failed[0]
        return time.perf_counter() - started_s


def _beside(settings: Settings, folder: Path) -> Settings:
    """Return settings whose HOME has the same models and chosen runtimes, and other crops."""
    for name in ("models", "runtimes"):
        if (settings.home / name).is_dir():
            os.symlink(settings.home / name, folder / name)
    return settings.model_copy(update={"home": folder, "kept_features_mib": 0})


if __name__ == "__main__":
    serve_step(TUNE, tune)
