"""Where a worker's processor time goes, stage by stage: `python -m bench.speed.stages --home HOME --images DIR`.

The stages of images run one after the other in this process, so that each one's processor time, of all threads, is its
own; claim, known contents and commit are what a whole serving takes beside them. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np

from bench.speed.site import median, show_table
from bench.speed.taffrail_run import Site
from db.domain.jobs import ClaimedItem
from db.domain.runtimes import Runtime
from db.domain.species import LabelSet
from db.settings import Settings
from worker.inference.crop_files import write_crops
from worker.inference.detector import inputs_of, make_detector, prediction_of
from worker.inference.load_image import HashedFile, ImageLoader, LoadedImage
from worker.inference.runtimes.choices import served_by
from worker.inference.second_stage import load_crop_classifier
from worker.vision.crops import letterbox_crop, quarter_turns

_STAGES = (
    "read and hash",
    "decode and fit",
    "detector",
    "boxes and agreement",
    "decode for crops",
    "cut crops",
    "second stage",
    "write crops",
)


class Clock:
    """Adds up processor time by stage."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what the block takes."""
        started = time.process_time()
        yield
        self.ms[name] += (time.process_time() - started) * 1000.0


class Stages:
    """One model's stages, called one by one."""

    def __init__(self, site: Site) -> None:
        self._settings, self._card = site.settings, site.card
        served = served_by(site.settings, site.folder.name, site.sha256)
        self._detector = make_detector(site.card, site.folder, batch_size=site.settings.network_batch, served=served)
        self._second = load_crop_classifier(site.card.second_stage, site.folder, served=served)
        self._loader = ImageLoader(max_bytes=2**30, max_pixels=2**28, whole_crops=self._second is not None)
        self._labels = LabelSet(site.card.species)

    def answer(self, root: bytes, wanted: Sequence[tuple[Path, tuple[int, int]]], clock: Clock) -> None:
        """Answer images; wanted: each with the input that it is shown at."""
        for input_hw, alike in groupby(sorted(wanted, key=lambda one: one[1]), key=lambda one: one[1]):
            paths = [os.path.join(root, os.fsencode(path)) for path, _ in alike]
            step = self._settings.network_batch
            for start in range(0, len(paths), step):
                self._call(root, paths[start : start + step], input_hw, clock)

    def _call(self, root: bytes, paths: Sequence[bytes], input_hw: tuple[int, int], clock: Clock) -> None:
        with clock.stage("read and hash"):
            read = [self._loader.read(ClaimedItem(0, 0, path), root) for path in paths]
        with clock.stage("decode and fit"):
            files = [file for file in read if isinstance(file, HashedFile)]
            decoded = [self._loader.decode(file, root, input_hw=input_hw) for file in files]
        images = [image for image in decoded if isinstance(image, LoadedImage)]
        with clock.stage("detector"):
            raw = self._detector.predict(np.stack([image.canvas for image in images]))
        with clock.stage("boxes and agreement"):
            said = [
                prediction_of(
                    raw, row, letterbox=image.letterbox, label_set=self._labels, confidence=self._card.box_confidence
                )
                for row, image in enumerate(images)
            ]
        if self._second is not None:
            with clock.stage("decode for crops"):
                pairs = zip(images, said, strict=True)
                images = [self._loader.for_crops(image) if one.detections else image for image, one in pairs]
        part = self._card.second_stage
        if part is not None and self._second is not None:
            with clock.stage("cut crops"):
                crops = [
                    letterbox_crop(
                        image.decoded.pixels,
                        found.box,
                        width_px=image.decoded.width_px,
                        height_px=image.decoded.height_px,
                        side_px=part.crop_px,
                        margin=part.margin,
                    )
                    for image, one in zip(images, said, strict=True)
                    for found in one.detections
                ]
                turned = quarter_turns(np.stack(crops), part.turns) if crops else None
            if turned is not None:
                with clock.stage("second stage"):
                    self._second.answers(turned)
        with clock.stage("write crops"):
            for image, one in zip(images, said, strict=True):
                write_crops(
                    image.decoded, one, sha256=image.image.sha256, model_version="stages", settings=self._settings
                )


def main() -> int:
    """Print each stage's processor time an image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="A HOME with a champion; it is copied.")
    parser.add_argument("--images", type=Path, required=True, help="A folder of JPEGs.")
    parser.add_argument("--runtime", type=Runtime, choices=tuple(Runtime), default=Runtime.OPENVINO_BF16)
    parser.add_argument("--rounds", type=int, default=3, help="Rounds that count; one more warms up.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="taffrail-bench-") as name:
        home = Path(shutil.copytree(asked.home, Path(name) / "home"))
        site = Site(Settings(home=home, runtime=asked.runtime), asked.images)
        _show(site, asked.rounds, asked.runtime)
    return 0


def _show(site: Site, rounds: int, runtime: Runtime) -> None:
    stages = Stages(site)
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        root = site.fresh_copy(number)
        batches = site.enqueue(root)
        whole = time.process_time()
        site.serve(batches)
        whole = (time.process_time() - whole) * 1000.0
        stored = site.stored(root)
        clock = Clock()
        stages.answer(os.fsencode(root), sorted(stored.inputs.items()), clock)
        images = len(stored.inputs)
        if number == 0:
            continue
        for what in _STAGES:
            found[what].append(clock.ms[what] / images)
        found["all of these"].append(sum(clock.ms.values()) / images)
        found["a worker, claim to commit"].append(whole / images)
    site.worker.close()
    title = (
        f"{runtime}: {images} images of {len(inputs_of(site.card))} inputs, {stored.crops / images:.1f} crops an image"
    )
    show_table(title, ["stage", "processor ms an image"], [(what, median(ms)) for what, ms in found.items()])


if __name__ == "__main__":
    sys.exit(main())
