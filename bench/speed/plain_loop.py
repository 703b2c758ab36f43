"""The loop that a user would write around the same networks: what the worker's speed is compared with.

Pillow opens and resizes, Keras's `predict` takes 16 images, every box of the detector is shown to the second stage,
crops are saved, and every image is committed. It answers by the same functions as a worker, so that only the way of
getting there differs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from db.domain.boxes import Box
from db.domain.final_answer import final_probabilities, image_prediction, most_probable
from db.domain.model_versions import ModelCard
from db.domain.predictions import Prediction
from db.domain.species import NO_FISH, LabelSet
from worker.inference.detector import inputs_of, prediction_of
from worker.inference.raw_outputs import RawOutputs
from worker.models.crop_classifier import LOGITS
from worker.storage.model_files import CROPS_NAME, load_model_file
from worker.vision.centre_detections import CentreMaps, in_original
from worker.vision.crop_answers import crop_distributions
from worker.vision.crops import crop_box, letterbox_crop, quarter_turns
from worker.vision.heatmaps import cell_probabilities
from worker.vision.letterbox import Letterbox, letterbox_image
from worker.vision.mirrored import mean_with_mirrored, mirror

_BATCH = 16
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class PlainLoop:
    """Holds the networks as Keras loads them."""

    def __init__(self, card: ModelCard, folder: Path) -> None:
        self._card = card
        self._label_set = LabelSet(card.species)
        self._mirrored = {step.input_hw for step in inputs_of(card) if step.cost <= 0.5}
        # `predict` cannot be traced anew for another input size, so each size has a copy.
        self._detector = lru_cache(lambda input_hw: load_model_file(folder))
        self._crops = load_model_file(folder, CROPS_NAME) if card.second_stage is not None else None
        self.crops_seen = 0

    def answer(
        self, files: Sequence[Path], inputs: Mapping[Path, tuple[int, int]], out: Path, *, every_box: bool
    ) -> dict[Path, str]:
        """Return each image's species, after storing it in `out`. inputs: rows and columns that an image is shown at.

        every_box: show the second stage each box of the detector, also those that no worker keeps.
        """
        out.mkdir(parents=True)
        database = sqlite3.connect(out / "answers.db")
        database.execute("CREATE TABLE answers (path TEXT PRIMARY KEY, species TEXT, boxes TEXT)")
        answers = {}
        for batch in _batches(files, inputs):
            images = [np.asarray(Image.open(file).convert("RGB")) for file in batch]
            for file, pixels, said in zip(batch, images, self._said(images, inputs[batch[0]]), strict=True):
                answers[file] = self._species(pixels, said[0], said[1] if every_box else ())
                for number, found in enumerate(said[0].detections):
                    crop = crop_box(pixels, found.box, width_px=pixels.shape[1], height_px=pixels.shape[0])
                    Image.fromarray(crop).save(out / f"{file.stem}-{number}.jpg", quality=90)
                boxes = repr([found.box.xyxy for found in said[0].detections])
                database.execute("INSERT INTO answers VALUES (?, ?, ?)", (str(file), answers[file], boxes))
                database.commit()
        database.close()
        return answers

    def _said(self, images: Sequence[Pixels], input_hw: tuple[int, int]) -> Iterator[tuple[Prediction, list[Box]]]:
        fitted = [letterbox_image(pixels, into_hw=input_hw) for pixels in images]
        canvases = np.stack([canvas for canvas, _ in fitted])
        outputs = self._detector(input_hw).predict(canvases, batch_size=_BATCH, verbose=0)
        if input_hw in self._mirrored:
            mirrored = self._detector(input_hw).predict(mirror(canvases), batch_size=_BATCH, verbose=0)
            outputs = mean_with_mirrored(outputs, mirrored)
        no_fish = outputs["box_species"].argmax(axis=1) == self._card.species.index(NO_FISH)
        outputs["box"] = np.where(no_fish[:, None], 0.0, outputs["box"])
        raw = RawOutputs(**outputs)
        for row, (_, letterbox) in enumerate(fitted):
            prediction = prediction_of(
                raw, row, letterbox=letterbox, label_set=self._label_set, confidence=self._card.box_confidence
            )
            yield prediction, self._other_boxes(raw, row, letterbox, prediction)

    def _other_boxes(self, raw: RawOutputs, row: int, letterbox: Letterbox, prediction: Prediction) -> list[Box]:
        """Return the boxes that the detector gives beside those whose chance to be fish is worth keeping."""
        if raw.centres is None or raw.ltrb_offsets is None:
            return []
        maps = CentreMaps(raw.centres[row, ..., 0], raw.ltrb_offsets[row], cell_probabilities(raw.heatmap[row]))
        given = [in_original(found.box, letterbox) for found in maps.boxes(letterbox)]
        kept = {found.box for found in prediction.detections}
        return [box for box in given if box is not None and box not in kept]

    def _species(self, pixels: Pixels, prediction: Prediction, others: Sequence[Box]) -> str:
        heads = (prediction.box_probabilities, prediction.heatmap_probabilities)
        part, boxes = self._card.second_stage, [found.box for found in prediction.detections]
        if part is None or self._crops is None or not (boxes or others):
            return most_probable(final_probabilities(*heads), self._card.species)
        size = {"width_px": pixels.shape[1], "height_px": pixels.shape[0], "side_px": part.crop_px}
        crops = [letterbox_crop(pixels, box, margin=part.margin, **size) for box in [*boxes, *others]]
        self.crops_seen += len(crops)
        turned = quarter_turns(np.stack(crops), part.turns)
        said = self._crops.predict(turned, batch_size=_BATCH, verbose=0)
        logits = said[LOGITS] if isinstance(said, dict) else said
        shares = {"log_prior_shift": part.log_prior_shift, "temperature": part.temperature}
        each = crop_distributions(logits, turns=part.turns, **shares)[: len(boxes)].tolist()
        confidences = [found.confidence for found in prediction.detections]
        second = image_prediction(each, confidences, no_fish=part.species.index(NO_FISH))
        if second is None:
            return most_probable(final_probabilities(*heads), self._card.species)
        return most_probable(final_probabilities(*heads, second, weight=part.weight), self._card.species)


def _batches(files: Sequence[Path], inputs: Mapping[Path, tuple[int, int]]) -> Iterator[list[Path]]:
    for input_hw in sorted(set(inputs.values())):
        alike = [file for file in files if inputs[file] == input_hw]
        yield from (alike[start : start + _BATCH] for start in range(0, len(alike), _BATCH))
