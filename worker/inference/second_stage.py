"""The second stage in a worker: evaluates the crop of every detection of some images, in batches of one fixed shape."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from db.domain.boxes import Box
from db.domain.final_answer import CropPrediction, image_prediction
from db.domain.model_versions import SecondStage
from db.domain.predictions import Prediction
from db.domain.species import NO_FISH
from worker.images.decode import DecodedImage
from worker.inference.fixed_batch import in_fixed_batches
from worker.inference.runtimes.compile import BY_KERAS, ServedBy, compile_network
from worker.inference.runtimes.network import SINGLE_OUTPUT
from worker.inference.together import EMBEDDING_TYPE
from worker.models.crop_classifier import EMBEDDING, LOGITS
from worker.vision.crop_answers import crop_distributions
from worker.vision.crops import letterbox_crop, quarter_turns

BATCH_CROPS = 8

Crops = npt.NDArray[np.uint8]
Embeddings = npt.NDArray[np.float16]
Boxed = tuple[DecodedImage, Sequence[Box]]


class CropClassifier:
    """A crop classifier, ready to be called from any thread; one call at a time is in the network."""

    def __init__(self, part: SecondStage, model: Any, *, served: ServedBy = BY_KERAS) -> None:
        from worker.models.detector import fold_batch_norms

        self.part = part
        self._no_fish = part.species.index(NO_FISH)
        self._network = compile_network(fold_batch_norms(model), served.runtime, prepared=served.prepared / "crops")
        self._one_call = threading.Lock()

    def warm_up(self) -> None:
        """Trace the graph and let the libraries choose their kernels."""
        self.answers(np.zeros((1, self.part.crop_px, self.part.crop_px, 3), dtype=np.uint8))

    def classify(self, images: Sequence[DecodedImage], predictions: Sequence[Prediction]) -> list[CropPrediction]:
        """Return what the second stage says of each image and of each of its detections, in their order."""
        boxes = [[found.box for found in prediction.detections] for prediction in predictions]
        answers, embeddings = self._said(list(zip(images, boxes, strict=True)))
        said, start = [], 0
        for prediction in predictions:
            rows = slice(start, start + len(prediction.detections))
            start = rows.stop
            said.append(self._prediction(prediction, answers[rows], embeddings[rows]))
        return said

    def distributions(self, boxed: Sequence[Boxed]) -> npt.NDArray[np.float64]:
        """Return a species distribution for each box of each image, one after the other; (N, S)."""
        return self._said(boxed)[0]

    def _said(self, boxed: Sequence[Boxed]) -> tuple[npt.NDArray[np.float64], Embeddings]:
        """Return a distribution and an embedding for each box; (N, S), (N, D)."""
        crops = [self._crop(image, box) for image, boxes in boxed for box in boxes]
        if not crops:
            return np.zeros((0, len(self.part.species))), np.zeros((0, 0), dtype=EMBEDDING_TYPE)
        turned = quarter_turns(np.stack(crops), self.part.turns)
        logits, embeddings = self.answers(turned)
        answers = crop_distributions(
            logits,
            turns=self.part.turns,
            log_prior_shift=self.part.log_prior_shift,
            temperature=self.part.temperature,
        )
        mean = embeddings.reshape(len(crops), self.part.turns, embeddings.shape[-1]).mean(axis=1)
        return answers, mean.astype(EMBEDDING_TYPE)

    def _prediction(
        self, prediction: Prediction, answers: npt.NDArray[np.float64], embeddings: Embeddings
    ) -> CropPrediction:
        crops = tuple(tuple(row.tolist()) for row in answers)
        confidences = [found.confidence for found in prediction.detections]
        together = self.part.neighbour_temperature is not None
        return CropPrediction(
            species=self.part.species,
            crops=crops,
            image=image_prediction(crops, confidences, no_fish=self._no_fish),
            weight=self.part.weight,
            embeddings=tuple(row.tobytes() for row in embeddings) if together else (),
        )

    def _crop(self, image: DecodedImage, box: Box) -> Crops:
        return letterbox_crop(
            image.pixels,
            box,
            width_px=image.width_px,
            height_px=image.height_px,
            side_px=self.part.crop_px,
            margin=self.part.margin,
        )

    def answers(self, crops: Crops) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return logits (N, S) and embeddings (N, D) of crops (N, P, P, 3)."""
        said = in_fixed_batches(self._called, crops, size=BATCH_CROPS)
        return said[LOGITS], said[EMBEDDING]

    def _called(self, batch: Crops) -> Mapping[str, Any]:
        with self._one_call:
            return _named(self._network(batch))


def _named(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the outputs by name; a classifier of before there were embeddings gives logits alone."""
    return said if LOGITS in said else {LOGITS: said[SINGLE_OUTPUT], EMBEDDING: said[SINGLE_OUTPUT][:, :0]}


def load_crop_classifier(
    part: SecondStage | None, folder: Path, *, served: ServedBy = BY_KERAS
) -> CropClassifier | None:
    """Return the second stage of a version, warmed up; None where it has none. folder: checked against its hashes.

    Raises:
        ModelFileError: the file cannot be loaded. RuntimeMissing: the runtime is not there for this model.
    """
    if part is None:
        return None
    from worker.storage.model_files import CROPS_NAME, load_model_file

    classifier = CropClassifier(part, load_model_file(folder, CROPS_NAME), served=served)
    classifier.warm_up()
    return classifier
