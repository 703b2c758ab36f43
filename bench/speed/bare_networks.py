"""A model's networks called on arrays in memory: what an end-to-end speed is compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.speed.taffrail_run import Site, Stored
from worker.images.decode import decode_image
from worker.inference.detector import make_detector
from worker.inference.runtimes.choices import served_by
from worker.inference.second_stage import load_crop_classifier
from worker.vision.letterbox import letterbox_image


def bare_networks(site: Site, images: Path) -> Callable[[Stored], Callable[[], None]]:
    """Return what calls both networks on images and crops that lie in memory, as many as a worker calls them on."""
    served = served_by(site.settings, site.folder.name, site.sha256)
    detector = make_detector(site.card, site.folder, batch_size=site.settings.network_batch, served=served)
    classifier = load_crop_classifier(site.card.second_stage, site.folder, served=served)
    pixels = {file.relative_to(images): decode_image(file.read_bytes()).pixels for file in images.rglob("*.jpg")}

    def prepared(stored: Stored) -> Callable[[], None]:
        by_input: dict[tuple[int, int], list[Any]] = defaultdict(list)
        for path, input_hw in stored.inputs.items():
            by_input[input_hw].append(letterbox_image(pixels[path], into_hw=input_hw)[0])
        canvases = [np.stack(alike) for alike in by_input.values()]
        part = site.card.second_stage
        shape = (stored.crops * part.turns, part.crop_px, part.crop_px, 3) if part is not None else (0, 1, 1, 3)
        crops = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

        def call() -> None:
            for batch in canvases:
                detector.predict(batch)
            if classifier is not None and len(crops):
                classifier.answers(crops)

        return call

    return prepared
