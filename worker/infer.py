"""Infers one claimed batch: hash, reuse, decode ahead, one network pass for both heads, crops. No database here."""

from __future__ import annotations

import io
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from db.domain.jobs import Claim, ClaimedItem
from db.domain.outcomes import ItemOutcome, NewPrediction, SeenImage
from db.domain.predictions import Prediction
from db.domain.species import LabelSet
from db.settings import Settings
from worker.fail_points import fail_point
from worker.image_files import Picture, UnreadableImage, UnreadableReason, decode_picture, read_image_file
from worker.serve import AnyDetector, RawOutputs
from worker.vision.crops import crop_box
from worker.vision.heatmaps import pack_heatmap
from worker.vision.interpret import interpret
from worker.vision.letterbox import Letterbox, letterbox_picture

Known = Callable[[Sequence[str]], set[str]]
_AHEAD = 2  # network batches that are decoded while one is in the network
_CROP_QUALITY = 90


def parameters_of(detector: AnyDetector) -> str:
    """Return what, besides the model version, a result depends on; results are unique by it."""
    rows, columns = detector.card.input_hw
    return f"letterbox-{rows}x{columns}"


@dataclass(frozen=True)
class _Loaded:
    item: ClaimedItem
    image: SeenImage
    picture: Picture
    canvas: np.ndarray
    letterbox: Letterbox


class BatchInference:
    """Infers batches with one detector; threads decode and cut crops while the network works."""

    def __init__(self, detector: AnyDetector, *, model_version: str, settings: Settings) -> None:
        self._detector = detector
        self._model_version = model_version
        self._settings = settings
        self._pool = ThreadPoolExecutor(max_workers=max(2, min(4, os.cpu_count() or 2)), thread_name_prefix="decode")
        self._label_set = LabelSet(detector.card.species)

    def run(self, claim: Claim, *, known: Known) -> list[ItemOutcome]:
        """Return one outcome an item. known: which contents have a stored prediction already."""
        hashed = list(self._pool.map(lambda item: self._hash(item, claim.root), claim.items))
        outcomes = [outcome for _, outcome in hashed if isinstance(outcome, ItemOutcome)]
        readable = [(item, sha256) for item, sha256 in hashed if isinstance(sha256, str)]
        seen = known([sha256 for _, sha256 in readable])
        todo = []
        for item, sha256 in readable:
            if sha256 in seen:
                outcomes.append(ItemOutcome(item.item_id, item.file_id, image=SeenImage(sha256)))
            else:
                seen = seen | {sha256}  # twice in one batch is inferred once, too
                todo.append(item)
        outcomes += self._infer(todo, claim.root)
        return _without_orphans(outcomes, known)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _hash(self, item: ClaimedItem, root: bytes) -> tuple[ClaimedItem, str | ItemOutcome]:
        try:
            return item, read_image_file(item.path, root=root, max_bytes=self._max_bytes).sha256
        except UnreadableImage as error:
            return item, _failure(item, error)

    def _infer(self, items: Sequence[ClaimedItem], root: bytes) -> list[ItemOutcome]:
        done: list[Future[ItemOutcome]] = []
        outcomes: list[ItemOutcome] = []
        for loaded, failed in self._decoded_ahead(items, root):
            outcomes += failed
            if not loaded:
                continue
            started = time.perf_counter()
            raw = self._detector.predict(np.stack([one.canvas for one in loaded]))
            each_ms = (time.perf_counter() - started) * 1000 / len(loaded)
            done += [self._pool.submit(self._finished, one, raw, row, each_ms) for row, one in enumerate(loaded)]
        return outcomes + [future.result() for future in done]

    def _decoded_ahead(
        self, items: Sequence[ClaimedItem], root: bytes
    ) -> Iterator[tuple[list[_Loaded], list[ItemOutcome]]]:
        size = self._settings.network_batch
        chunks = deque(items[start : start + size] for start in range(0, len(items), size))
        ahead: deque[list[Future[_Loaded | ItemOutcome]]] = deque()
        while chunks or ahead:
            while chunks and len(ahead) <= _AHEAD:
                ahead.append([self._pool.submit(self._load, item, root) for item in chunks.popleft()])
            results = [future.result() for future in ahead.popleft()]
            loaded = [one for one in results if isinstance(one, _Loaded)]
            yield loaded, [one for one in results if isinstance(one, ItemOutcome)]

    def _load(self, item: ClaimedItem, root: bytes) -> _Loaded | ItemOutcome:
        input_hw = self._detector.card.input_hw
        try:
            file = read_image_file(item.path, root=root, max_bytes=self._max_bytes)
            fail_point("decoding", item.path)
            picture = decode_picture(file.content, at_least_hw=input_hw, max_pixels=self._settings.max_pixels)
        except UnreadableImage as error:
            return _failure(item, error)
        canvas, fitted = letterbox_picture(picture.pixels, into_hw=input_hw)
        # The letterbox speaks of the whole original, whatever size was decoded.
        letterbox = Letterbox(
            width_px=picture.width_px,
            height_px=picture.height_px,
            input_hw=input_hw,
            fitted_hw=fitted.fitted_hw,
            pad_x=fitted.pad_x,
            pad_y=fitted.pad_y,
        )
        image = SeenImage(file.sha256, picture.width_px, picture.height_px, picture.captured_at)
        return _Loaded(item, image, picture, canvas, letterbox)

    def _finished(self, loaded: _Loaded, raw: RawOutputs, row: int, infer_ms: float) -> ItemOutcome:
        prediction = interpret(
            box=raw.box[row],
            box_probabilities=raw.box_species[row],
            heatmap_logits=raw.heatmap[row],
            heatmap_probabilities=raw.heatmap_species[row],
            letterbox=loaded.letterbox,
            label_set=self._label_set,
        )
        new = NewPrediction(
            prediction=prediction,
            species=_final_species(prediction, self._label_set),
            heatmap=pack_heatmap(prediction.heatmap),
            crop_files=self._write_crops(loaded, prediction),
            infer_ms=infer_ms,
        )
        return ItemOutcome(loaded.item.item_id, loaded.item.file_id, image=loaded.image, prediction=new)

    def _write_crops(self, loaded: _Loaded, prediction: Prediction) -> tuple[str | None, ...]:
        sha256 = loaded.image.sha256
        folder = self._settings.crops_dir / sha256[:2]
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for number, found in enumerate(prediction.detections):
            pixels = crop_box(
                loaded.picture.pixels,
                found.box,
                width_px=loaded.picture.width_px,
                height_px=loaded.picture.height_px,
            )
            file = folder / f"{sha256}-{self._model_version}-{number}.jpg"
            _write_jpeg(pixels, file)
            files.append(str(file.relative_to(self._settings.home)))
        return tuple(files)

    @property
    def _max_bytes(self) -> int:
        return self._settings.max_file_mib * 2**20


def _final_species(prediction: Prediction, label_set: LabelSet) -> str:
    both = np.add(prediction.box_probabilities, prediction.heatmap_probabilities)
    return label_set.names[int(both.argmax())]


def _write_jpeg(pixels: np.ndarray, file: Path) -> None:
    # Encoded first, then renamed: a death leaves no torn crop, and writing it again changes nothing.
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_CROP_QUALITY)
    temporary = file.with_suffix(f".{os.getpid()}.part")
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(file)


def _failure(item: ClaimedItem, error: UnreadableImage) -> ItemOutcome:
    return ItemOutcome(item.item_id, item.file_id, reason=str(error.reason), failure=str(error))


def _without_orphans(outcomes: list[ItemOutcome], known: Known) -> list[ItemOutcome]:
    """Fail the twins of a content that could not be decoded: they have the same bytes and the same fault."""
    judged = {outcome.image.sha256 for outcome in outcomes if outcome.image and outcome.prediction}
    twins = [outcome for outcome in outcomes if outcome.image and not outcome.prediction]
    stored = known([outcome.image.sha256 for outcome in twins if outcome.image])
    broken = {
        outcome.item_id
        for outcome in twins
        if outcome.image and outcome.image.sha256 not in judged and outcome.image.sha256 not in stored
    }
    text = f"{UnreadableReason.BROKEN}: the same bytes as another file of this batch that gave no picture"
    return [
        ItemOutcome(outcome.item_id, outcome.file_id, reason=str(UnreadableReason.BROKEN), failure=text)
        if outcome.item_id in broken
        else outcome
        for outcome in outcomes
    ]
