"""Training a detector on drawn images: it learns, repeats by its seed, caches, and names what does not suffice."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import UnknownSpecies
from tests.drawn_fish import LABELS, draw_fleet
from worker.inference.detector import make_detector
from worker.models.errors import TrainingError
from worker.models.names import HeadName
from worker.storage.model_files import load_model, save_model
from worker.training.data.samples import TrainingSample
from worker.training.data.targets import class_weights, make_targets
from worker.training.detector.fit import FitSettings
from worker.training.detector.settings import TrainSettings
from worker.training.detector.train_detector import train_detector

INPUT_HW = (64, 96)
SETTINGS = TrainSettings(
    input_hw=INPUT_HW,
    label_set=LABELS,
    held_out_share=0.34,
    fit=FitSettings(epochs=14, min_steps=0, batch_size=8, learning_rate=4e-3),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet")


@pytest.fixture(scope="module")
def samples(folder: Path) -> list[TrainingSample]:
    return draw_fleet(folder, 60)


@pytest.fixture(scope="module")
def trained(samples: list[TrainingSample], folder: Path):
    return train_detector(samples, settings=SETTINGS, features_dir=folder / "features")


def test_it_learns_species_and_boxes_on_cameras_it_has_not_seen(trained) -> None:
    card = trained.card

    assert card.metrics["accuracy"] > 0.8  # a guess gives 0.33
    assert card.metrics["largest_fish_mean_iou"] > 0.25
    assert card.record.split == "by camera"
    assert set(card.metrics_by["camera"]) == set(card.folds[0])
    assert card.record.species_without_images == ("SHARK",)


def test_the_heat_map_lights_up_where_the_fish_is(trained, samples: list[TrainingSample]) -> None:
    fish = [sample for sample in samples if sample.label.species == "ALB"][:10]
    images = np.stack([np.asarray(Image.open(os.fsdecode(s.file)).resize(INPUT_HW[::-1])) for s in fish])

    cells = trained.model.predict_on_batch(images)["heatmap"][..., LABELS.index("ALB")]

    truth = make_targets(fish, label_set=LABELS, input_hw=INPUT_HW, grid_hw=cells.shape[1:3]).cells
    hottest = cells.reshape(len(fish), -1).argmax(axis=1)
    inside = truth.reshape(len(fish), -1)[np.arange(len(fish)), hottest] == LABELS.index("ALB")
    assert inside.mean() >= 0.8


def test_a_saved_detector_serves_what_was_trained(trained, samples: list[TrainingSample], tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *INPUT_HW, 3), dtype=np.uint8)
    expected = trained.model.predict_on_batch(images)

    sha256 = save_model(tmp_path, "m-1", trained.model, trained.card)

    found = make_detector(trained.card, tmp_path / "m-1").predict(images)
    assert load_model(tmp_path, "m-1", sha256).count_params() == trained.model.count_params()
    fish = expected["box_species"].argmax(axis=1) != LABELS.index("NoF")
    assert np.allclose(found.box, expected["box"] * fish[:, None], atol=0.1)
    assert np.allclose(found.box_species, expected["box_species"], atol=1e-3)
    assert np.allclose(found.heatmap, expected["heatmap"], atol=1e-2)


def test_the_same_seed_gives_the_same_weights_to_the_last_bit(
    trained, samples: list[TrainingSample], folder: Path
) -> None:
    again = train_detector(samples, settings=SETTINGS, features_dir=folder / "features")

    assert _weights_hash(again.model) == _weights_hash(trained.model)
    assert again.card.dataset_sha256 == trained.card.dataset_sha256
    assert again.card.folds == trained.card.folds


def _weights_hash(model) -> str:
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()


def test_twelve_images_of_two_cameras_suffice(samples: list[TrainingSample], folder: Path) -> None:
    few = [dataclasses.replace(sample, camera=f"camera {number % 2}") for number, sample in enumerate(samples[:12])]
    settings = dataclasses.replace(SETTINGS, fit=FitSettings(epochs=2, min_steps=0), final_fit=True)

    result = train_detector(few, settings=settings, features_dir=folder / "features")

    assert np.isfinite(list(result.card.metrics.values())).all()
    assert result.card.record.images == 12


def test_one_camera_is_split_at_random_and_the_card_says_so(samples: list[TrainingSample], folder: Path) -> None:
    alone = [dataclasses.replace(sample, camera="only") for sample in samples[:12]]
    settings = dataclasses.replace(
        SETTINGS, heads=(HeadName.BOX_SPECIES, HeadName.HEATMAP), fit=FitSettings(epochs=1, min_steps=0)
    )

    result = train_detector(alone, settings=settings, features_dir=folder / "features")

    assert result.card.record.split == "random: all images are of one camera"
    assert result.card.heads == ("box_species", "heatmap")


def test_images_known_by_species_alone_teach_no_box(samples: list[TrainingSample]) -> None:
    unboxed = dataclasses.replace(samples[0], label=ImageLabel("ALB"))
    empty = dataclasses.replace(samples[0], label=ImageLabel("NoF"))

    targets = make_targets([unboxed, empty, samples[0]], label_set=LABELS, input_hw=INPUT_HW, grid_hw=(4, 6))

    assert targets.box_weights.tolist() == [0.0, 0.0, 1.0]
    assert (targets.cells[0] == -1).all()
    assert (targets.cells[1] == LABELS.index("NoF")).all()
    assert set(np.unique(targets.cells[2])) == {LABELS.index("ALB"), LABELS.index("NoF")}


def test_a_fish_smaller_than_a_cell_still_has_its_cell(samples: list[TrainingSample]) -> None:
    # 192 x 128 onto 96 x 64 halves; a cell is 16 input pixels, 32 of the original: (100, 70) is column 3, row 2.
    small = dataclasses.replace(samples[0], label=ImageLabel("LAG", (LabelledBox(Box(98, 69, 102, 71), "LAG"),)))

    cells = make_targets([small], label_set=LABELS, input_hw=INPUT_HW, grid_hw=(4, 6)).cells[0]

    assert np.argwhere(cells == LABELS.index("LAG")).tolist() == [[2, 3]]


def test_class_weights_are_the_root_of_balance_and_leave_out_what_was_not_seen() -> None:
    weights = class_weights(np.array([0] * 16 + [2] * 4), count=4)

    assert weights[2] / weights[0] == pytest.approx(2.0)  # the root of 16 / 4
    assert weights[1] == weights[3] == 0.0
    assert (16 * weights[0] + 4 * weights[2]) / 20 == pytest.approx(1.0)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_images_are_one_clear_error(count: int, samples: list[TrainingSample], folder: Path) -> None:
    with pytest.raises(TrainingError, match=r"no labelled images|at least 4 images"):
        train_detector(samples[:count], settings=SETTINGS, features_dir=folder / "features")


def test_images_of_one_species_are_one_clear_error(samples: list[TrainingSample], folder: Path) -> None:
    with pytest.raises(TrainingError, match="of 1 species"):
        train_detector(samples[::3], settings=SETTINGS, features_dir=folder / "features")


def test_a_label_outside_the_label_set_is_named(samples: list[TrainingSample], folder: Path) -> None:
    odd = dataclasses.replace(samples[0], label=ImageLabel("SHRK"))

    with pytest.raises(UnknownSpecies, match="did you mean SHARK"):
        train_detector([odd, *samples], settings=SETTINGS, features_dir=folder / "features")


def test_heads_in_the_wrong_place_are_named(samples: list[TrainingSample], folder: Path) -> None:
    settings = dataclasses.replace(SETTINGS, heads=(HeadName.HEATMAP, HeadName.DENSE))

    with pytest.raises(TrainingError, match="wanted box_species and one of heatmap_hires"):
        train_detector(samples, settings=settings, features_dir=folder / "features")


def test_vgg16_goes_the_whole_way_at_the_lessons_size(folder: Path, tmp_path: Path) -> None:
    settings = TrainSettings(
        trunk="vgg16", weights="random", label_set=LABELS, held_out_share=0.34, fit=FitSettings(epochs=1, min_steps=0)
    )
    few = draw_fleet(folder, 6, cameras=2)

    result = train_detector(few, settings=settings, features_dir=tmp_path / "features")

    save_model(tmp_path, "m-1", result.model, result.card)
    found = make_detector(result.card, tmp_path / "m-1", batch_size=1).predict(np.zeros((1, 360, 640, 3), np.uint8))
    assert found.heatmap.shape == (1, 22, 40, len(LABELS))
    assert found.ltrb_offsets is not None and found.ltrb_offsets.shape == (1, 22, 40, 4)
