"""Every way in of a labelled file: one that changed since, or is beyond the settings' limits, is skipped and named."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.datasets import DatasetEntry, EntryOrigin
from db.domain.model_versions import ModelCard
from db.domain.places import Place
from db.settings import get_settings
from tests.drawn_fish import LABELS, draw_fish
from worker.evaluation.answers import Answers, EvaluatedImages
from worker.evaluation.overlays import draw_images
from worker.images.errors import UnreadableReason
from worker.images.labelled import SkippedFile
from worker.inference.detector import NOOP_KIND
from worker.inference.infer import DetectorInference
from worker.inference.noop_detector import NoopDetector
from worker.leakage.see_heat import see_heat
from worker.steps.answer_held_out import loaded_images
from worker.training.crops.evaluate import evaluate_images
from worker.training.crops.features import CropShape, cut_canvases
from worker.training.crops.samples import CropSample
from worker.training.data.samples import TrainingSample
from worker.training.detector.held_images import HeldImages
from worker.training.features.compute import compute_features
from worker.training.features.thumbnails import thumbnails_of

INPUT_HW = (64, 96)
Samples = Sequence[TrainingSample]
Read = tuple[set[bytes], list[SkippedFile] | None]
"""The files that were let in, and those that were named as skipped; None of a way that names none."""


def _detector() -> NoopDetector:
    return NoopDetector(ModelCard(NOOP_KIND, "", "", INPUT_HW, LABELS.names, ()))


def features(samples: Samples, folder: Path) -> Read:
    done = compute_features(
        samples, trunk="efficientnet_lite0", weights="random", input_hw=INPUT_HW, features_dir=folder
    )
    return {sample.file for sample in samples if sample.sha256 in done.features}, list(done.unreadable)


def thumbnails(samples: Samples, folder: Path) -> Read:
    done = thumbnails_of(samples, folder)
    assert len(done.pixels) == len(done.samples)
    return {sample.file for sample in done.samples}, list(done.skipped)


def crops(samples: Samples, folder: Path) -> Read:
    cut = [
        CropSample(one.file, one.sha256, one.camera, one.label.boxes[0].box, one.label.species, 192, 128)
        for one in samples
    ]
    done = cut_canvases(cut, shape=CropShape(crop_px=32, margin=0.1), cache_dir=folder)
    return {crop.file for crop in cut if crop in done}, list(done.unreadable)


def windows(samples: Samples, _folder: Path) -> Read:
    images = HeldImages(samples, INPUT_HW, {})
    skipped = images.read_all()
    return {one.file for row, one in enumerate(samples) if row not in skipped}, list(skipped.values())


def both_stages(samples: Samples, _folder: Path) -> Read:
    skipped: list[SkippedFile] = []
    done = evaluate_images(samples, detector=_detector(), crop_classifier=None, on_skipped=skipped.append)
    return {one.sample.file for one in done}, skipped


def heat(samples: Samples, _folder: Path) -> Read:
    skipped: list[SkippedFile] = []
    report = see_heat("model", _detector(), samples, on_skipped=skipped.append, progress=lambda done, total: None)
    assert report is not None and report.images == len(samples) - len(skipped)
    return {sample.file for sample in samples} - {one.file for one in skipped}, skipped


def sheet(samples: Samples, _folder: Path) -> Read:
    said = Answers("said", np.full((1, len(LABELS)), 0.25))
    drawn = [
        one.file
        for one in samples
        if draw_images(
            EvaluatedImages([one], np.zeros(1, dtype=np.int64), LABELS), said, np.array([0]), input_hw=INPUT_HW
        )
    ]
    return set(drawn), None


def held_out(samples: Samples, _folder: Path) -> Read:
    entries = [
        DatasetEntry(
            Place(1, one.sha256, one.file, one.camera, 192, 128, None),
            one.label,
            EntryOrigin.LABEL,
            1,
            1.0,
            held_out=True,
        )
        for one in samples
    ]
    inference = DetectorInference(_detector(), model_version="model", settings=get_settings())
    return {image.item.path for chunk in loaded_images(entries, inference) for image in chunk}, None


def _changed(sample: TrainingSample) -> TrainingSample:
    draw_fish(Path(os.fsdecode(sample.file)).parent, 2, "LAG", "another camera", deck_grey=30)
    return sample


def _too_large(sample: TrainingSample) -> TrainingSample:
    with open(sample.file, "ab") as file:  # what follows an image's end, no decoder minds
        file.write(b"\0" * 2**20)
    return _labelled_as_it_is(sample)


def _too_many_pixels(sample: TrainingSample) -> TrainingSample:
    with Image.open(sample.file) as image:
        image.resize((400, 300)).save(os.fsdecode(sample.file))
    return _labelled_as_it_is(sample)


def _labelled_as_it_is(sample: TrainingSample) -> TrainingSample:
    content = Path(os.fsdecode(sample.file)).read_bytes()
    return dataclasses.replace(sample, sha256=hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("way_in", [features, thumbnails, crops, windows, both_stages, heat, sheet, held_out])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_changed, UnreadableReason.CHANGED),
        (_too_large, UnreadableReason.TOO_LARGE),
        (_too_many_pixels, UnreadableReason.TOO_MANY_PIXELS),
    ],
)
def test_a_file_that_is_not_what_was_labelled_or_beyond_the_limits_is_skipped_and_the_rest_goes_on(
    way_in: Callable[[Samples, Path], Read],
    spoil: Callable[[TrainingSample], TrainingSample],
    reason: UnreadableReason,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAFFRAIL_MAX_FILE_MIB", "1")
    monkeypatch.setenv("TAFFRAIL_MAX_PIXELS", "100000")
    get_settings.cache_clear()
    good, bad = (draw_fish(tmp_path, number, "ALB", "camera") for number in (1, 2))
    bad = spoil(bad)

    read, skipped = way_in([good, bad], tmp_path / "features")

    assert read == {good.file}
    if skipped is not None:
        assert [(one.file, one.reason) for one in skipped] == [(bad.file, reason)]


def test_a_thumbnail_of_a_changed_file_is_not_found_under_the_old_content(tmp_path: Path) -> None:
    labelled = draw_fish(tmp_path, 2, "ALB", "camera")
    as_labelled = Path(os.fsdecode(labelled.file)).read_bytes()
    _changed(labelled)

    assert thumbnails_of([labelled], tmp_path / "features").samples == []

    Path(os.fsdecode(labelled.file)).write_bytes(as_labelled)
    again = thumbnails_of([labelled], tmp_path / "features")
    assert again.samples == [labelled] and again.pixels.mean() > 90


def test_a_thumbnail_outlives_its_file(tmp_path: Path) -> None:
    kept, gone, never_seen = (draw_fish(tmp_path, number, "ALB", "camera") for number in (1, 2, 3))
    thumbnails_of([kept, gone], tmp_path / "features")
    os.unlink(gone.file)
    os.unlink(never_seen.file)

    found = thumbnails_of([kept, gone, never_seen], tmp_path / "features")

    assert found.samples == [kept, gone]
    assert [(one.file, one.reason) for one in found.skipped] == [(never_seen.file, UnreadableReason.MISSING)]
