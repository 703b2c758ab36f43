"""Infers pictures with one model version, stage by stage: read, decode, network, boxes and crops. No database here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from db.domain.jobs import ClaimedItem
from db.domain.outcomes import ItemOutcome, NewPrediction
from db.domain.predictions import Prediction
from db.domain.species import LabelSet
from db.settings import Settings
from worker.crop_files import write_crops
from worker.load_picture import HashedFile, LoadedPicture, PictureLoader
from worker.serve import AnyDetector, RawOutputs
from worker.vision.heatmaps import pack_heatmap
from worker.vision.interpret import interpret


class Inference(Protocol):
    """What becomes of a batch's items under one model version; worker.pipeline calls the stages from its threads.

    model_version, parameters: what, with the content, results are unique by. network_batch: pictures a network call.
    """

    model_version: str
    parameters: str
    network_batch: int

    def read(self, item: ClaimedItem, root: bytes) -> HashedFile | ItemOutcome:
        """Return an item's bytes and hash, or its failure."""

    def decode(self, file: HashedFile, root: bytes) -> LoadedPicture | ItemOutcome:
        """Return the picture in them, ready for the network, or the item's failure."""

    def predict(self, pictures: Sequence[LoadedPicture]) -> RawOutputs:
        """Return the network's outputs; called from one thread only."""

    def finish(self, pictures: Sequence[LoadedPicture], raw: RawOutputs, *, each_ms: float) -> list[ItemOutcome]:
        """Return each picture's outcome; its crops are on the disk. each_ms: network time a picture."""


class DetectorInference:
    """Both heads of one detector."""

    def __init__(self, detector: AnyDetector, *, model_version: str, settings: Settings) -> None:
        self.model_version = model_version
        self.parameters = parameters_of(detector)
        self.network_batch = settings.network_batch
        self._detector = detector
        self._settings = settings
        self._label_set = LabelSet(detector.card.species)
        self._loader = PictureLoader(
            input_hw=detector.card.input_hw,
            max_bytes=settings.max_file_mib * 2**20,
            max_pixels=settings.max_pixels,
        )

    def read(self, item: ClaimedItem, root: bytes) -> HashedFile | ItemOutcome:
        """Return an item's bytes and hash, or its failure."""
        return self._loader.read(item, root)

    def decode(self, file: HashedFile, root: bytes) -> LoadedPicture | ItemOutcome:
        """Return the picture in a file that was read, or its failure."""
        return self._loader.decode(file, root)

    def predict(self, pictures: Sequence[LoadedPicture]) -> RawOutputs:
        """Return the outputs of one network call."""
        return self._detector.predict(np.stack([picture.canvas for picture in pictures]))

    def finish(self, pictures: Sequence[LoadedPicture], raw: RawOutputs, *, each_ms: float) -> list[ItemOutcome]:
        """Return the outcomes of the pictures of one network call, with boxes in the originals' pixels."""
        return [self._finished(picture, raw, row, each_ms) for row, picture in enumerate(pictures)]

    def _finished(self, loaded: LoadedPicture, raw: RawOutputs, row: int, each_ms: float) -> ItemOutcome:
        prediction = interpret(
            box=raw.box[row],
            box_probabilities=raw.box_species[row],
            heatmap_logits=raw.heatmap[row],
            heatmap_probabilities=raw.heatmap_species[row],
            fish_sides=None if raw.fish_sides is None else raw.fish_sides[row],
            letterbox=loaded.letterbox,
            label_set=self._label_set,
        )
        crop_files = write_crops(
            loaded.picture,
            prediction,
            sha256=loaded.image.sha256,
            model_version=self.model_version,
            settings=self._settings,
        )
        new = NewPrediction(
            prediction=prediction,
            species=_final_species(prediction, self._label_set),
            heatmap=pack_heatmap(prediction.heatmap),
            crop_files=crop_files,
            infer_ms=each_ms,
        )
        return ItemOutcome(loaded.item.item_id, loaded.item.file_id, image=loaded.image, prediction=new)


def parameters_of(detector: AnyDetector) -> str:
    """Return what, besides the model version, a result depends on; results are unique by it."""
    rows, columns = detector.card.input_hw
    return f"letterbox-{rows}x{columns}"


def _final_species(prediction: Prediction, label_set: LabelSet) -> str:
    both = np.add(prediction.box_probabilities, prediction.heatmap_probabilities)
    return label_set.names[int(both.argmax())]
