"""Makes docs/results-table.md and docs/heads.jpg: every head on the default trunk, on cameras not seen and at random.

`make table` draws the sample fleet, caches its features and trains what is not trained yet. What each head said is
kept below --home, so a run that was stopped goes on; --minutes ends it between two heads.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.table_text import Row, table_text
from db.domain.predictions import Detection, Head
from db.domain.species import DEFAULT_LABEL_SET
from worker.evaluation.answers import Answers, EvaluatedImages, FoundFish
from worker.evaluation.compared_models import linear_probe, majority
from worker.evaluation.overlays import draw_images
from worker.leakage.see_heat import heat_beside
from worker.models.names import DEFAULT_TRUNK, TRUNKS, HeadName
from worker.sample_fleet.oracle import read_truth
from worker.training import metrics
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import held_out_cameras, random_split
from worker.training.data.targets import sample_letterbox
from worker.training.detector.figures import HeldOut, largest_fish_iou, predicted_boxes
from worker.training.detector.train_head import average_species, species_of, train_head
from worker.training.features.cache import Features
from worker.training.features.compute import compute_features
from worker.vision.heatmaps import cell_probabilities, pack_heatmap
from worker.vision.interpret import interpret

LABELS = DEFAULT_LABEL_SET
INPUT_HW = (360, 640)
HELD_OUT_SHARE = 0.25
SHOWN = 12  # images of docs/heads.jpg
AVERAGES: dict[str, tuple[HeadName, ...]] = {
    "box_species + heatmap_hires (what serves)": (HeadName.BOX_SPECIES, HeadName.HEATMAP_HIRES),
    "heatmap_hires + inception": (HeadName.HEATMAP_HIRES, HeadName.INCEPTION),
    "box_species + inception": (HeadName.BOX_SPECIES, HeadName.INCEPTION),
}

Outputs = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Split:
    """Who learns and who evaluates: places in the samples."""

    name: str
    train_rows: npt.NDArray[np.int64]
    held_out_rows: npt.NDArray[np.int64]


def main() -> None:
    """Train what is missing within the time given, and write the table of all there is."""
    asked = _arguments()
    started = time.monotonic()
    if not (asked.fleet / "truth.json").exists():
        draw_fleet(asked.fleet, images=asked.images)
    samples = fleet_samples(asked.fleet, asked.images)
    features = compute_features(
        samples, trunk=DEFAULT_TRUNK, weights="imagenet", input_hw=INPUT_HW, features_dir=asked.home / "features"
    ).features
    splits, kept = fleet_splits(samples), asked.home / f"heads_table_{len(samples)}"
    for split in splits:
        for name in asked.only or list(HeadName):
            if time.monotonic() - started < asked.minutes * 60:
                _train_once(name, samples, features, split, kept)
    rows = [row for split in splits for row in _rows(samples, features, split, kept)]
    print(
        f"peak memory of the trainings {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB", flush=True
    )
    sheet = _sheet(samples, splits[0], kept)
    if sheet is not None:
        sheet.save(asked.out.parent / "heads.jpg", quality=75)
    asked.out.write_text(table_text(rows, splits[0].name, splits[1].name, _about(samples, splits), _vgg16()))
    print(asked.out.read_text())


def _train_once(name: HeadName, samples: list[TrainingSample], features: Features, split: Split, kept: Path) -> None:
    file = kept / f"{split.name}-{name}.npz"
    if file.exists():
        return
    started, processor = time.perf_counter(), time.process_time()
    trained = train_head(
        name,
        samples,
        features,
        train_rows=split.train_rows,
        held_out_rows=split.held_out_rows,
        label_set=LABELS,
        input_hw=INPUT_HW,
    )
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    print(f"{split.name} {name}: {seconds:.0f} s ({processor:.0f}), {trained.fit.epochs_run} epochs", flush=True)
    kept.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft.npz")
    took = {"seconds": trained.fit.seconds, "processor_s": processor, "epochs": trained.fit.epochs_run}
    np.savez(draft, **took, **trained.outputs)
    draft.replace(file)


def _rows(samples: list[TrainingSample], features: Features, split: Split, kept: Path) -> list[Row]:
    held = [samples[row] for row in split.held_out_rows]
    truth = _truth(held)
    rows = [_baseline(samples, split), _linear_probe(samples, features, split)]
    said: dict[HeadName, npt.NDArray[np.float32]] = {}
    for name in HeadName:
        file = kept / f"{split.name}-{name}.npz"
        if not file.exists():
            continue
        with np.load(file) as loaded:
            outputs = {key: loaded[key] for key in loaded.files}
        took = {key: float(outputs.pop(key)) for key in ("seconds", "processor_s", "epochs") if key in outputs}
        said[name] = species_of(outputs)
        rows.append(_row(name, split, truth, said[name], **took, **_places(held, outputs)))
    for title, names in AVERAGES.items():
        if all(name in said for name in names):
            rows.append(_row(title, split, truth, average_species([said[name] for name in names])))
    if len(said) == len(HeadName):
        others = [said[name] for name in HeadName if name is not HeadName.DENSE_METADATA]
        rows.append(_row("all heads but dense_metadata", split, truth, average_species(others)))
    return rows


def _sheet(samples: list[TrainingSample], split: Split, kept: Path) -> Image.Image | None:
    """Return held-out images drawn at random, with the boxes and heat maps of the two heads that serve."""
    files = {name: kept / f"{split.name}-{name}.npz" for name in (HeadName.BOX_SPECIES, HeadName.HEATMAP_HIRES)}
    if not all(file.exists() for file in files.values()):
        return None
    boxes, maps = (dict(np.load(file)) for file in files.values())
    rows = np.sort(np.random.default_rng(3).permutation(len(split.held_out_rows))[:SHOWN])
    held = [samples[place] for place in split.held_out_rows[rows]]
    boxes, maps = ({key: value[rows] for key, value in one.items() if value.ndim} for one in (boxes, maps))
    outputs = {**boxes, **maps}
    answers = Answers(
        "what serves",
        average_species([boxes["box_species"], maps["heatmap_species"]]),
        largest=predicted_boxes(HeldOut(held, outputs, LABELS, INPUT_HW)),
        found=[
            [FoundFish(one.box.xyxy, LABELS.index(one.species), one.confidence) for one in of_image]
            for of_image in _fish(held, outputs)
        ],
        heatmaps=[pack_heatmap(cell_probabilities(one)) for one in maps["heatmap"]],
    )
    evaluated = EvaluatedImages(held, np.zeros(len(held), dtype=np.int64), LABELS)
    sheet = draw_images(evaluated, answers, np.arange(len(held)), input_hw=INPUT_HW)
    return sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3)) if sheet else None


def _row(title: str, split: Split, truth: npt.NDArray[np.int64], said: npt.ArrayLike, **figures: float | None) -> Row:
    return Row(
        title,
        split.name,
        accuracy=metrics.accuracy(truth, said),
        balanced_accuracy=metrics.balanced_accuracy(truth, said),
        log_loss=metrics.log_loss(truth, said),
        **figures,
    )


def _places(held: list[TrainingSample], outputs: Outputs) -> dict[str, float]:
    """Return what a head says of where the fish are: the IoU of its box, the AP of every fish, the heat beside them."""
    figures: dict[str, float] = {}
    if "box" in outputs:
        figures["iou"] = float(np.nanmean(largest_fish_iou(HeldOut(held, outputs, LABELS, INPUT_HW))))
    if "heatmap" in outputs:
        figures["fish_ap50"] = metrics.average_precision(
            _found(held, outputs), [_true_boxes(sample) for sample in held]
        )
        beside = [
            heat_beside(sample, logits, label_set=LABELS, input_hw=INPUT_HW)
            for sample, logits in zip(held, outputs["heatmap"], strict=True)
            if sample.label.boxes
        ]
        figures["heat"] = float(np.mean([spread.outside for spread in beside if spread is not None]))
    return figures


def _found(held: list[TrainingSample], outputs: Outputs) -> list[metrics.ScoredBox]:
    return [
        metrics.ScoredBox(row, one.box.xyxy, one.confidence)
        for row, of_image in enumerate(_fish(held, outputs))
        for one in of_image
    ]


def _fish(held: list[TrainingSample], outputs: Outputs) -> list[list[Detection]]:
    """Return every fish that the heat-map head boxes, by image."""
    found = []
    for row, sample in enumerate(held):
        prediction = interpret(
            box=np.zeros(4),
            box_probabilities=outputs["heatmap_species"][row],
            heatmap_logits=outputs["heatmap"][row],
            heatmap_probabilities=outputs["heatmap_species"][row],
            letterbox=sample_letterbox(sample, INPUT_HW),
            label_set=LABELS,
            ltrb_offsets=outputs["ltrb_offsets"][row] if "ltrb_offsets" in outputs else None,
        )
        found.append(list(prediction.of_head(Head.HEATMAP)))
    return found


def _baseline(samples: list[TrainingSample], split: Split) -> Row:
    learnt = _truth([samples[row] for row in split.train_rows])
    truth = _truth([samples[row] for row in split.held_out_rows])
    return _row("majority guess", split, truth, majority(learnt, species=len(LABELS), count=len(truth)), seconds=0.0)


def _linear_probe(samples: list[TrainingSample], features: Features, split: Split) -> Row:
    started = time.perf_counter()
    pooled = features.pooled([sample.sha256 for sample in samples])
    said = linear_probe(samples, pooled, LABELS, learn_rows=split.train_rows, eval_rows=split.held_out_rows)
    truth = _truth([samples[row] for row in split.held_out_rows])
    return _row("linear probe", split, truth, said, seconds=time.perf_counter() - started)


def fleet_splits(samples: Sequence[TrainingSample]) -> tuple[Split, Split]:
    """Return two ways to hold a part of a fleet out: by camera, and as many images at random."""
    cameras, species = [sample.camera for sample in samples], [sample.label.species for sample in samples]
    by_camera = np.isin(cameras, held_out_cameras(cameras, species, share=HELD_OUT_SHARE, seed=0))
    at_random = random_split(len(samples), share=float(by_camera.mean()), seed=0)
    first, second = (
        Split(name, np.flatnonzero(~held), np.flatnonzero(held))
        for name, held in (("camera", by_camera), ("random", at_random))
    )
    return first, second


def _about(samples: Sequence[TrainingSample], splits: Sequence[Split]) -> str:
    by_camera = splits[0]
    unseen = {samples[row].camera for row in by_camera.held_out_rows}
    return (
        f"{len(samples)} images of {len({sample.camera for sample in samples})} cameras; "
        f"{len(by_camera.held_out_rows)} images of {len(unseen)} cameras are\nheld out, as many at random"
    )


def _vgg16() -> str:
    """Return what VGG16 gives at 360 x 640: measured here on random weights, which changes no shape and no speed."""
    from worker.models.trunks import build_trunk

    spec = TRUNKS["vgg16"]
    trunk = build_trunk("vgg16", input_hw=INPUT_HW, weights="random")
    images = np.zeros((4, *INPUT_HW, 3), dtype=np.uint8)
    shape = trunk.predict_on_batch(images).shape[1:]
    started = time.perf_counter()
    trunk.predict_on_batch(images)
    speed = len(images) / (time.perf_counter() - started)
    rows, columns, channels = shape
    return f"vgg16 cut at {spec.layer}: {rows} x {columns} x {channels}, {speed:.1f} images/s"


def _truth(samples: Sequence[TrainingSample]) -> npt.NDArray[np.int64]:
    return np.array([LABELS.index(sample.label.species) for sample in samples])


def _true_boxes(sample: TrainingSample) -> list[tuple[float, float, float, float]]:
    return [labelled.box.xyxy for labelled in sample.label.boxes]


def fleet_samples(fleet: Path, images: int) -> list[TrainingSample]:
    """Return the fleet's images with their truth; of a larger fleet so many, drawn at random."""
    truth = sorted(read_truth(fleet / "truth.json").items())
    chosen = sorted(np.random.default_rng(0).permutation(len(truth))[:images].tolist())
    found = []
    for name, label in (truth[place] for place in chosen):
        file = fleet / "images" / name
        with Image.open(file) as image:
            width_px, height_px = image.size
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        found.append(TrainingSample(os.fsencode(file), sha256, name.split("/")[0], label, width_px, height_px))
    return found


def draw_fleet(fleet: Path, *, images: int) -> None:
    """Draw the sample fleet of 33 cameras, half as large as real images."""
    order = ["sample", str(fleet), "--images", str(images), "--cameras", "33", "--scale", "0.5"]
    subprocess.run([sys.executable, "-m", "cli.main", *order], check=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fleet", type=Path, default=Path("build/table/fleet"), help="drawn where it is missing")
    parser.add_argument("--home", type=Path, default=Path("build/table/home"), help="features and what heads said")
    parser.add_argument("--images", type=int, default=3800, help="images; of a larger fleet so many at random")
    parser.add_argument("--only", type=HeadName, nargs="*", help="train these heads only")
    parser.add_argument("--minutes", type=float, default=600.0, help="start no head after so many minutes")
    parser.add_argument("--out", type=Path, default=Path("docs/results-table.md"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
