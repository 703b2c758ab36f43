"""Infers images with one model version, stage by stage: read, decode, network, boxes and crops. No database here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from db.domain.final_answer import CropPrediction, final_probabilities, most_probable
from db.domain.fish_size import result_parameters
from db.domain.jobs import ClaimedItem
from db.domain.outcomes import ItemOutcome, NewPrediction
from db.domain.predictions import Prediction
from db.domain.species import NO_FISH, LabelSet
from db.settings import Settings
from worker.images.decode import DecodedImage
from worker.inference.camera_size import IMAGES_A_CAMERA, estimated_fish_px
from worker.inference.crop_files import write_crops
from worker.inference.detector import AnyDetector, input_for, inputs_of, prediction_of
from worker.inference.feature_memory import FeatureMemory
from worker.inference.load_image import HashedFile, ImageLoader, LoadedImage
from worker.inference.raw_outputs import RawOutputs
from worker.inference.second_stage import CropClassifier
from worker.vision.agreement import agreement_score
from worker.vision.heatmaps import pack_heatmap


class Inference(Protocol):
    """What becomes of a batch's items under one model version; the pipeline calls the stages from its threads.

    model_version: what, with content and parameters, results are unique by. network_batch: images a network call.
    """

    model_version: str
    network_batch: int

    def parameters_of(self, item: ClaimedItem) -> str:
        """Return what else an item's result depends on: how its camera's images are shown to the network."""

    def estimate_fish_px(self, items: Sequence[ClaimedItem], root: bytes, *, check: Callable[[], None]) -> float | None:
        """Return the fish size of the one camera of these items; None where it makes no difference or is not seen.

        check: called between looks, which take seconds; raises where no more are wanted.
        """

    def read(self, item: ClaimedItem, root: bytes) -> HashedFile | ItemOutcome:
        """Return an item's bytes and hash, or its failure."""

    def decode(self, file: HashedFile, root: bytes) -> LoadedImage | ItemOutcome:
        """Return the image in them, ready for the network, or the item's failure."""

    def predict(self, images: Sequence[LoadedImage]) -> RawOutputs:
        """Return the network's outputs; called from one thread only."""

    def finish(self, images: Sequence[LoadedImage], raw: RawOutputs, *, each_ms: float) -> list[ItemOutcome]:
        """Return each image's outcome; its crops are on the disk. each_ms: network time an image."""


class DetectorInference:
    """Both heads of one detector and, where the version has one, the second stage on their boxes."""

    def __init__(
        self,
        detector: AnyDetector,
        *,
        model_version: str,
        settings: Settings,
        crop_classifier: CropClassifier | None = None,
        memory: FeatureMemory | None = None,
    ) -> None:
        """memory: of this detector's features, None where none are kept."""
        self.model_version = model_version
        self.network_batch = settings.network_batch
        self._detector = detector
        self._memory = memory
        self._crop_classifier = crop_classifier
        self._settings = settings
        self._label_set = LabelSet(detector.card.species)
        self._loader = ImageLoader(
            max_bytes=settings.max_file_mib * 2**20,
            max_pixels=settings.max_pixels,
            whole_crops=crop_classifier is not None,
            time_patterns=settings.patterns_of_time,
        )

    def parameters_of(self, item: ClaimedItem) -> str:
        """Return the input size that an item's camera asks for and the shift of its boxes, in words."""
        return result_parameters(input_for(self._detector.card, item.fish_px).input_hw, box_shift=item.box_shift)

    def estimate_fish_px(self, items: Sequence[ClaimedItem], root: bytes, *, check: Callable[[], None]) -> float | None:
        """Return the fish size that some images of one camera show; None where it is not seen, or not needed."""
        inputs = inputs_of(self._detector.card)
        if len(inputs) < 2:
            return None
        chosen = items[:: max(1, len(items) // IMAGES_A_CAMERA)][:IMAGES_A_CAMERA]
        loaded = [self._decoded_at(item, root, inputs[-1].input_hw) for item in chosen]
        return estimated_fish_px(self._detector, [one for one in loaded if one is not None], check=check)

    def read(self, item: ClaimedItem, root: bytes) -> HashedFile | ItemOutcome:
        """Return an item's bytes and hash, or its failure."""
        return self._loader.read(item, root)

    def decode(self, file: HashedFile, root: bytes) -> LoadedImage | ItemOutcome:
        """Return the image in a file that was read, or its failure."""
        input_hw = input_for(self._detector.card, file.item.fish_px).input_hw
        known = self._memory.loaded(file, self._loader, input_hw) if self._memory is not None else None
        return known or self._loader.decode(file, root, input_hw=input_hw)

    def predict(self, images: Sequence[LoadedImage]) -> RawOutputs:
        """Return the outputs of one network call."""
        if self._memory is not None:
            return self._memory.predict(images)
        return self._detector.predict(np.stack([image.canvas for image in images]))

    def finish(self, images: Sequence[LoadedImage], raw: RawOutputs, *, each_ms: float) -> list[ItemOutcome]:
        """Return the outcomes of the images of one network call, with boxes in the originals' pixels."""
        if self._memory is not None:
            self._memory.keep(images, raw)
        curve = self._detector.card.box_confidence
        predictions = [
            prediction_of(
                raw,
                row,
                letterbox=loaded.letterbox,
                label_set=self._label_set,
                confidence=None if curve is None else curve.shifted(loaded.item.box_shift),
            )
            for row, loaded in enumerate(images)
        ]
        images = [
            self._loader.for_crops(loaded) if prediction.detections else loaded
            for loaded, prediction in zip(images, predictions, strict=True)
        ]
        seconds: Sequence[CropPrediction | None] = [None] * len(images)
        if self._crop_classifier is not None:
            started = time.perf_counter()
            seconds = self._crop_classifier.classify([loaded.decoded for loaded in images], predictions)
            each_ms += (time.perf_counter() - started) * 1000 / len(images)
        far = [None] * len(images) if raw.novelty is None else raw.novelty[:, 0].tolist()
        return [
            self._finished(loaded, prediction, second, each_ms, novelty)
            for loaded, prediction, second, novelty in zip(images, predictions, seconds, far, strict=True)
        ]

    def _finished(
        self,
        loaded: LoadedImage,
        prediction: Prediction,
        second: CropPrediction | None,
        each_ms: float,
        novelty: float | None,
    ) -> ItemOutcome:
        crop_files = write_crops(
            loaded.decoded,
            prediction,
            sha256=loaded.image.sha256,
            model_version=self.model_version,
            settings=self._settings,
        )
        answer, prediction = _answered(prediction, second, self._label_set)
        new = NewPrediction(
            prediction=prediction,
            species=answer,
            heatmap=pack_heatmap(prediction.heatmap),
            crop_files=crop_files,
            infer_ms=each_ms,
            second=second,
            runtime=self._detector.runtime,
            novelty=novelty,
        )
        parameters = result_parameters(loaded.letterbox.input_hw, box_shift=loaded.item.box_shift)
        return ItemOutcome(
            loaded.item.item_id, loaded.item.file_id, image=loaded.image, prediction=new, parameters=parameters
        )

    def _decoded_at(self, item: ClaimedItem, root: bytes, input_hw: tuple[int, int]) -> DecodedImage | None:
        file = self._loader.read(item, root)
        loaded = self._loader.decode(file, root, input_hw=input_hw) if isinstance(file, HashedFile) else None
        return loaded.decoded if isinstance(loaded, LoadedImage) else None


def _answered(prediction: Prediction, second: CropPrediction | None, label_set: LabelSet) -> tuple[str, Prediction]:
    """Return the final species, and the prediction with the agreement of all predictions on it."""
    heads = (prediction.box_probabilities, prediction.heatmap_probabilities)
    first = final_probabilities(*heads)
    if second is None or second.image is None:
        return most_probable(first, label_set.names), prediction
    final = final_probabilities(*heads, second.image, weight=second.weight)
    species = most_probable(final, label_set.names)
    answer = label_set.index(species)
    clearest = max(crop[answer] for crop in second.crops)
    score = agreement_score(
        first_stage=first[answer],
        final=final[answer],
        # A second stage that has no say in the answer has none in its error_probability.
        clearest_crop=(1.0 - second.weight) * first[answer] + second.weight * clearest,
        place_iou=1.0 if species == NO_FISH else prediction.agreement.iou,
    )
    return species, replace(prediction, agreement=replace(prediction.agreement, score=score))
