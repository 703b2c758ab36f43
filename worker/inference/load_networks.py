"""Loads a model version's networks, so that they are ready to infer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from db.domain.model_versions import ModelCard
from db.errors import TaffrailError
from db.settings import Settings
from worker.inference.detector import AnyDetector, make_detector
from worker.inference.feature_memory import FeatureMemory, keeps_features
from worker.inference.infer import DetectorInference, Inference
from worker.inference.pace import paced
from worker.inference.recording_detector import RecordingDetector
from worker.inference.runtimes.choices import served_by
from worker.inference.runtimes.compile import BY_KERAS, ServedBy
from worker.inference.runtimes.network import RuntimeMissing
from worker.inference.second_stage import CropClassifier, load_crop_classifier
from worker.models.errors import UnknownNetwork
from worker.models.names import DetectorKind
from worker.storage.artifacts import bring_model
from worker.storage.model_files import BundleHashes, check_model_file, load_model_file, read_card

_log = logging.getLogger("taffrail.worker")
LoadInference = Callable[[Settings, str, BundleHashes], Inference]


class NoModel(TaffrailError):
    """There is no model to serve."""


def load_detector(settings: Settings, model_version: str, hashes: BundleHashes) -> Inference:
    """Return a model version ready to infer; its files must be the registered ones.

    Raises:
        ModelFileError: the file is missing, altered or no model. StoreUnreachable: it lies in a store that is away.
    """
    bring_model(settings, model_version)
    settings = paced(settings, model_version)
    path = check_model_file(settings.models_dir, model_version, hashes.sha256, hashes.crops_sha256)
    card = read_card(settings.models_dir, model_version)
    detector, crop_classifier = _networks(card, path, settings, served_by(settings, model_version, hashes.sha256))
    return DetectorInference(
        detector,
        model_version=model_version,
        settings=settings,
        crop_classifier=crop_classifier,
        memory=FeatureMemory(detector, settings) if isinstance(detector, RecordingDetector) else None,
    )


def _detector(card: ModelCard, path: Path, settings: Settings, served: ServedBy) -> AnyDetector:
    """Return the first stage: one that gives its trunk's features, where they are kept and it can be cut."""
    if card.kind in list(DetectorKind) and keeps_features(settings, served.runtime):
        try:
            return RecordingDetector(card, load_model_file(path), batch_size=settings.network_batch, served=served)
        except UnknownNetwork as error:
            _log.warning("features are not kept: %s", error)
    return make_detector(card, path, batch_size=settings.network_batch, served=served)


def _networks(
    card: ModelCard, path: Path, settings: Settings, served: ServedBy
) -> tuple[AnyDetector, CropClassifier | None]:
    """Return both stages, warmed up; by Keras, and with a line in the log, where the runtime is not to be had."""
    try:
        detector = _detector(card, path, settings, served)
        detector.warm_up()
        return detector, load_crop_classifier(card.second_stage, path, served=served)
    except RuntimeMissing as error:
        _log.warning("%s; going on with keras", error)
        return _networks(card, path, settings, BY_KERAS)
