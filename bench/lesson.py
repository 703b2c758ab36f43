"""Makes docs/lesson.md: the lesson's recipes as told, beside the better ones, on unseen cameras and at random.

`make lesson` draws a sample fleet where there is none and keeps each recipe's figures below --home: a run that was
stopped goes on. VGG16's and ResNet50's weights are downloaded by Keras; where they cannot be, the table says so.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.heads_table import LABELS, Split, fleet_samples, fleet_splits
from worker.models.errors import ModelError
from worker.models.names import TRUNKS, HeadName
from worker.sample_fleet.write import write_sample_fleet
from worker.training import metrics
from worker.training.data.samples import TrainingSample
from worker.training.detector.figures import HeldOut, largest_fish_iou
from worker.training.detector.train_head import species_of, train_head
from worker.training.features.compute import FeatureSource

Figures = dict[str, float]


@dataclass(frozen=True)
class Recipe:
    """One network. input_hw: rows, columns. deepest: of the trunk's last layer, for heads that pool everything."""

    title: str
    trunk: str
    head: HeadName
    input_hw: tuple[int, int] = (360, 640)
    deepest: bool = False

    @property
    def key(self) -> str:
        """A file name of its own."""
        rows, columns = self.input_hw
        return f"{self.trunk}-{self.head}-{rows}x{columns}"


AS_TOLD = (
    Recipe("VGG16, dense layers", "vgg16", HeadName.DENSE),
    Recipe("the same, image size as a second input", "vgg16", HeadName.DENSE_METADATA),
    Recipe("box and species, squared error x 0.001", "vgg16", HeadName.BOX_SPECIES),
    Recipe("fully convolutional, pooled to 5 x 5", "vgg16", HeadName.HEATMAP),
    Recipe("without pooling, 22 x 40", "vgg16", HeadName.HEATMAP_HIRES),
    Recipe("inception blocks", "vgg16", HeadName.INCEPTION),
    Recipe("ResNet50, global average pooling, 224 x 224", "resnet50", HeadName.GAP, (224, 224), deepest=True),
    Recipe("ResNet50, global average pooling, 400 x 400", "resnet50", HeadName.GAP, (400, 400), deepest=True),
)
BETTER = (
    Recipe("EfficientNet-Lite0, box and species", "efficientnet_lite0", HeadName.BOX_SPECIES),
    Recipe("EfficientNet-Lite0, without pooling", "efficientnet_lite0", HeadName.HEATMAP_HIRES),
    Recipe("EfficientNet-Lite0, global average pooling", "efficientnet_lite0", HeadName.GAP, deepest=True),
)


def main() -> None:
    """Train what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--home", type=Path, default=Path("build/lesson"))
    parser.add_argument("--out", type=Path, default=Path("docs/lesson.md"))
    asked = parser.parse_args()
    fleet = asked.home / f"fleet-{asked.images}-{asked.cameras}"
    if not (fleet / "truth.json").exists():
        write_sample_fleet(fleet, images=asked.images, cameras=asked.cameras, seed=0, scale=0.5)
    samples = fleet_samples(fleet, asked.images)
    splits = fleet_splits(samples)
    lines = []
    for heading, recipes in (("As told", AS_TOLD), ("The better ones", BETTER)):
        lines.append(f"| **{heading}** | | | | | |")
        lines += [_line(recipe, _figures(recipe, samples, splits, asked.home)) for recipe in recipes]
    asked.out.write_text(_page(lines, samples, splits))
    print(asked.out.read_text())


def _figures(
    recipe: Recipe, samples: Sequence[TrainingSample], splits: Sequence[Split], home: Path
) -> dict[str, Figures] | str:
    """Return the figures by split, or why there are none."""
    kept = home / f"{recipe.key}-{len(samples)}.json"
    if kept.exists():
        found: dict[str, Figures] = json.loads(kept.read_text())
        return found
    source = FeatureSource(recipe.trunk, "imagenet", recipe.input_hw, home / "features", lambda *_: None)
    try:
        features = source.compute(samples, layer=TRUNKS[recipe.trunk].last_layer if recipe.deepest else None).features
    except ModelError as error:
        return str(error).split(" (", 1)[0]  # what Keras says of its own network follows
    figures = {}
    for split in splits:
        started = time.perf_counter()
        trained = train_head(
            recipe.head,
            list(samples),
            features,
            train_rows=split.train_rows,
            held_out_rows=split.held_out_rows,
            label_set=LABELS,
            input_hw=recipe.input_hw,
        )
        held = [samples[row] for row in split.held_out_rows]
        figures[split.name] = _measured(held, trained.outputs, recipe, time.perf_counter() - started)
    kept.write_text(json.dumps(figures, indent=1))
    print(f"{recipe.title}: {figures[splits[0].name]['accuracy']:.3f} on unseen cameras", flush=True)
    return figures


def _measured(held: list[TrainingSample], outputs: Mapping[str, np.ndarray], recipe: Recipe, seconds: float) -> Figures:
    truth, said = np.array([LABELS.index(one.label.species) for one in held]), species_of(outputs)
    figures = {
        "accuracy": metrics.accuracy(truth, said),
        "balanced": metrics.balanced_accuracy(truth, said),
        "log_loss": metrics.log_loss(truth, said),
        "seconds": seconds,
    }
    if "box" in outputs:
        figures["iou"] = float(np.nanmean(largest_fish_iou(HeldOut(held, dict(outputs), LABELS, recipe.input_hw))))
    return figures


def _line(recipe: Recipe, figures: dict[str, Figures] | str) -> str:
    if isinstance(figures, str):
        return f"| {recipe.title} | not run: {figures} | | | | |"
    by_camera, at_random = figures["camera"], figures["random"]
    cells = [
        f"{by_camera[name]:.3f} ({at_random[name]:.3f})" if name in by_camera else ""
        for name in ("accuracy", "balanced", "log_loss", "iou")
    ]
    return f"| {recipe.title} | " + " | ".join(cells) + f" | {by_camera['seconds']:.0f} |"


def _page(lines: Sequence[str], samples: Sequence[TrainingSample], splits: Sequence[Split]) -> str:
    unseen = {samples[row].camera for row in splits[0].held_out_rows}
    held_out, cameras = len(splits[0].held_out_rows), len({one.camera for one in samples})
    return "\n".join(
        [
            "# The lesson as told",
            "",
            "The recipes of the lesson that this program implements, beside those that came after, on the sample",
            f"fleet: {len(samples)} images of {cameras} cameras, {held_out} of {len(unseen)} cameras held out",
            "(`make lesson`). In brackets: as many held out at random, from cameras that training saw, which is how",
            "the lesson told its figures (97 to 99 % on real frames). The difference is what the camera gives away.",
            "",
            "| | accuracy | balanced | log loss | IoU, largest fish | seconds |",
            "|---|---:|---:|---:|---:|---:|",
            *lines,
            "",
            "What serves is none of these alone: docs/detector.md finds the fish, docs/second-stage.md names them.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
