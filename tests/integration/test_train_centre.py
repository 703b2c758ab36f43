"""Training a centre detector: its card, what serves, and what it says of odd labels and of itself."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.boxes import Box
from db.domain.fish_size import step_for
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import LabelSet
from worker.models.names import DetectorKind
from worker.training.data.samples import TrainingSample
from worker.training.detector.camera_sizes import camera_fish_sizes
from worker.training.detector.settings import TrainSettings
from worker.training.detector.train_detector import train_detector
from worker.training.detector.trained import TrainedDetector
from worker.vision.letterbox import letterbox_image

_SETTINGS = TrainSettings(
    kind=DetectorKind.CENTRE, weights="random", input_hw=(96, 160), epochs=1, label_set=LabelSet(("ALB", "NoF"))
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSample]:
    """Four cameras of three images of noise, each with one box, all of one species."""
    folder = tmp_path_factory.mktemp("images")
    return [_sample(folder, camera, number) for camera in range(4) for number in range(3)]


@pytest.fixture(scope="module")
def trained(samples: list[TrainingSample], tmp_path_factory: pytest.TempPathFactory) -> TrainedDetector:
    torn = dataclasses.replace(samples[0], file=b"/no/such.png", sha256="f" * 64)
    return train_detector([*samples, torn], settings=_SETTINGS, features_dir=tmp_path_factory.mktemp("features"))


def _sample(folder: Path, camera: int, number: int) -> TrainingSample:
    rng = np.random.default_rng([camera, number])
    file = folder / f"{camera}-{number}.png"
    Image.fromarray(rng.integers(0, 255, (90, 160, 3), dtype=np.uint8)).save(file)
    x, y = (int(one) for one in rng.integers(5, 40, 2))
    label = ImageLabel("ALB", (LabelledBox(Box(x, y, x + 40, y + 20), "ALB"),))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return TrainingSample(str(file).encode(), digest, f"boat {camera}", label, 160, 90)


def test_the_card_tells_the_kind_the_schedule_and_the_figures(trained: TrainedDetector) -> None:
    card = trained.card

    assert (card.kind, card.input_hw, card.heads) == ("centre", (96, 160), ("box_species", "heatmap_hires"))
    assert card.record.epoch_kept == "the last of a fixed schedule"
    assert len(card.folds[0]) == 1 and card.record.images_held_out == 3
    assert {"accuracy", "fish_ap50", "fish_recall_in_3", "box_calibration_error"} <= set(card.metrics)
    assert card.box_confidence is not None and card.box_confidence.images == 3


def test_boxes_that_serve_are_learnt_from_every_camera_and_species_are_not(trained: TrainedDetector) -> None:
    served, evaluated = trained.model, trained.evaluated_model

    def alike(layer: str) -> bool:
        pairs = zip(served.get_layer(layer).get_weights(), evaluated.get_layer(layer).get_weights(), strict=True)
        return all(np.array_equal(first, second) for first, second in pairs)

    assert alike("box_species") and alike("hires_maps")
    assert not alike("centre_mix1_conv")


def test_what_serves_tells_images_unlike_all_that_it_learnt_from(
    trained: TrainedDetector, samples: list[TrainingSample]
) -> None:
    sizes = camera_fish_sizes(samples)
    (input_hw,) = {step_for(sizes[sample.camera], _SETTINGS.input_hw).input_hw for sample in samples}
    shown = [np.asarray(Image.open(sample.file.decode())) for sample in samples]
    shown.append(np.zeros((90, 160, 3), dtype=np.uint8))

    canvases = np.stack([letterbox_image(pixels, into_hw=input_hw)[0] for pixels in shown])
    novelty = np.asarray(trained.model(canvases, training=False)["novelty"])[:, 0]

    assert novelty[:-1].max() < 1.0 < novelty[-1]
    assert trained.card.record.cameras == tuple(f"boat {camera}" for camera in range(4))


def test_what_was_learnt_from_little_says_so(trained: TrainedDetector) -> None:
    assert "was evaluated on 3 images of 1 camera: its figures may be chance" in trained.card.cautions
    assert "knows one species: whatever fish it finds, it calls ALB" in trained.card.cautions


def test_an_image_that_cannot_be_read_is_named_and_the_rest_goes_on(trained: TrainedDetector) -> None:
    assert [bad.file for bad in trained.unreadable] == [b"/no/such.png"]
    assert trained.card.record.images == 12


def test_without_a_box_species_alone_are_learnt_and_that_is_told(samples: list[TrainingSample], tmp_path: Path) -> None:
    told = [
        dataclasses.replace(one, label=ImageLabel("ALB" if number % 2 else "NoF")) for number, one in enumerate(samples)
    ]

    done = train_detector(told, settings=_SETTINGS, features_dir=tmp_path)

    assert done.card.kind == "detector" and "learnt from no box" in done.card.cautions[0]
