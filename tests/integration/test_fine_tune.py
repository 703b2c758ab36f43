"""Tuning the trunk's last blocks: they change, what is before them and the batch norms do not, the model holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.drawn_fish import LABELS, draw_fleet
from worker.models.errors import UnknownNetwork, WeightsError
from worker.models.names import HeadName
from worker.models.trunks import build_trunk, trunk_tail, weights_key
from worker.storage.model_files import load_model, save_model
from worker.training.detector.fine_tune import FineTune
from worker.training.detector.fit import FitSettings
from worker.training.detector.settings import TrainSettings
from worker.training.detector.train_detector import train_detector

INPUT_HW = (64, 96)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("fleet")
    stages: list[str] = []
    settings = TrainSettings(
        input_hw=INPUT_HW,
        heads=(HeadName.BOX_SPECIES, HeadName.HEATMAP),
        label_set=LABELS,
        held_out_share=0.34,
        fit=FitSettings(epochs=2, min_steps=0, batch_size=8),
        fine_tune=FineTune(blocks=2, epochs=2),
        augment=1,
    )
    trained = train_detector(
        draw_fleet(folder, 24),
        settings=settings,
        features_dir=folder / "features",
        progress=lambda stage, done, total: stages.append(stage),
    )
    return trained, stages


def test_only_the_last_blocks_change_and_their_batch_norms_stay(tuned) -> None:
    model = tuned[0].model
    plain = build_trunk("efficientnet_lite0", input_hw=INPUT_HW)

    changed = {
        layer.name
        for layer in plain.layers
        for before, after in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True)
        if not np.array_equal(before, after)
    }

    assert changed == {
        f"block{number}_{part}_conv" for number in (9, 10) for part in ("expand", "depthwise", "project")
    }


def test_the_saved_model_holds_the_tuned_trunk_and_a_trunk_can_be_taken_from_it(tuned, tmp_path: Path) -> None:
    trained = tuned[0]
    images = np.random.default_rng(0).integers(0, 256, (2, *INPUT_HW, 3), dtype=np.uint8)

    sha256 = save_model(tmp_path, "m-1", trained.model, trained.card)

    loaded = load_model(tmp_path, "m-1", sha256)
    expected, found = trained.model.predict_on_batch(images), loaded.predict_on_batch(images)
    assert all(np.allclose(expected[name], found[name], atol=1e-4) for name in expected)
    file = tmp_path / "m-1" / "model.keras"
    again = build_trunk("efficientnet_lite0", input_hw=INPUT_HW, weights=file)
    assert np.array_equal(
        again.get_layer("block10_project_conv").get_weights()[0],
        trained.model.get_layer("block10_project_conv").get_weights()[0],
    )
    # Features of a tuned trunk are cached under its own name.
    assert weights_key("efficientnet_lite0", file) != weights_key("efficientnet_lite0", "imagenet")


def test_the_time_is_told_beforehand_and_the_card_says_what_was_tuned(tuned) -> None:
    trained, stages = tuned

    assert any(stage.startswith("fine-tune, about ") for stage in stages)
    assert any(stage == "features at block8_project_bn" for stage in stages)
    assert trained.card.record.fine_tuned.from_layer == "block8_project_bn"
    assert trained.card.recipe.augment == 1


@pytest.mark.parametrize(
    ("trunk", "blocks", "layer"),
    [
        pytest.param("vgg16", 1, "block4_pool", id="vgg16"),
        pytest.param("resnet50", 1, "conv4_block5_out", id="resnet50"),
        pytest.param("efficientnet_b0", 2, "block5a_project_bn", id="efficientnet_b0"),
        pytest.param("mobilenet_v2", 2, "block_11_add", id="mobilenet_v2"),
    ],
)
def test_the_blocks_of_every_trunk_are_known(trunk: str, blocks: int, layer: str) -> None:
    whole = build_trunk(trunk, input_hw=(64, 96), weights="random")

    name, tail = trunk_tail(whole, blocks=blocks)

    assert name == layer
    assert tail.output_shape == whole.output_shape


def test_more_blocks_than_there_are_and_a_model_without_the_trunk_are_named(tmp_path: Path) -> None:
    trunk = build_trunk("efficientnet_lite0", input_hw=INPUT_HW, weights="random")

    with pytest.raises(UnknownNetwork, match="99 blocks: wanted 1 to 10"):
        trunk_tail(trunk, blocks=99)
    trunk.save(tmp_path / "other.keras")
    with pytest.raises(WeightsError, match=r"other\.keras: no model with this trunk"):
        build_trunk("vgg16", input_hw=INPUT_HW, weights=tmp_path / "other.keras")
