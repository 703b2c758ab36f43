"""The centre detector learns: from a handful of drawn images it finds the fish of images and a deck it never saw."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import LabelSet
from worker.models.detector import fold_batch_norms
from worker.models.trunk_levels import build_trunk_levels
from worker.training.data.samples import TrainingSample
from worker.training.detector.camera_sizes import camera_fish_sizes
from worker.training.detector.centre_fit import CentreFit
from worker.training.detector.draw_batches import BatchSource
from worker.training.detector.fit_centre import fit_centre
from worker.training.detector.held_images import HeldImages
from worker.vision.centre_boxes import find_centre_boxes
from worker.vision.letterbox import letterbox_image

_LABELS = LabelSet(("ALB", "NoF"))
_HW = (128, 224)


def _drawn(folder: Path, number: int, *, deck: int) -> TrainingSample:
    """A grey, noisy deck with one bright striped fish; some show none."""
    rng = np.random.default_rng([deck, number])
    pixels = rng.normal(70 + 25 * deck, 12, (256, 448, 3))
    boxes: tuple[LabelledBox, ...] = ()
    if number % 5:
        x, y = int(rng.integers(10, 340)), int(rng.integers(10, 200))
        fish = np.full((44, 92, 3), (230.0, 225.0, 180.0))
        fish[:, ::8] = 20.0
        pixels[y : y + 44, x : x + 92] = fish
        boxes = (LabelledBox(Box(x, y, x + 92, y + 44), "ALB"),)
    file = folder / f"{deck}-{number}.png"
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    label = ImageLabel("ALB" if boxes else "NoF", boxes)
    return TrainingSample(str(file).encode(), digest, f"deck{deck}", label, 448, 256)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("decks")
    samples = [_drawn(folder, number, deck=deck) for deck in (0, 1, 2) for number in range(8)]
    fish_px = camera_fish_sizes(samples)
    images = HeldImages(samples, _HW, fish_px)
    assert images.read_all() == {}
    trunk = fold_batch_norms(build_trunk_levels("efficientnet_lite0"))
    trunk.compile(jit_compile=False)
    rows = np.arange(16, dtype=np.int64)
    source = BatchSource(samples, images, rows, fish_px, _LABELS, _HW, batch_size=8, seed=0)
    fit = CentreFit(min_steps=32, max_steps=32)
    beside = dataclasses.replace(source, rows=np.arange(16, 24, dtype=np.int64), batch_size=4)
    fitted = fit_centre(source, trunk, fit=fit, species_weights=np.ones(2, dtype=np.float32), beside=beside)
    return trunk, fitted, _drawn(folder, 101, deck=3)


def test_the_loss_falls_over_a_fixed_schedule(fitted) -> None:
    heads = fitted[1].evaluated

    assert heads.steps == 32
    assert heads.losses[-1] < 0.6 * heads.losses[0]


def test_the_head_that_serves_learns_from_the_images_beside_and_shares_the_species_heads(fitted) -> None:
    _, both, _ = fitted

    weights = [heads.centre.get_weights()[0] for heads in (both.evaluated, both.served)]
    assert not np.allclose(*weights)
    assert both.served.species_heads is both.evaluated.species_heads


@pytest.mark.parametrize("which", ["evaluated", "served"])
def test_a_fish_on_a_deck_never_seen_is_the_surest_box(fitted, which: str) -> None:
    trunk, both, unseen = fitted
    heads = getattr(both, which)
    pixels = np.asarray(Image.open(unseen.file.decode()).convert("RGB"))
    canvas, letterbox = letterbox_image(pixels, into_hw=_HW)

    said = heads.centre(trunk(canvas[None], training=False), training=False)
    centres = np.asarray(said["centres"])[0, ..., 0]
    found = find_centre_boxes(
        centres, np.asarray(said["ltrb_offsets"])[0], frame=letterbox.grid_frame(centres.shape), stride_px=8
    )

    truth = unseen.label.boxes[0].box
    x_min, y_min, x_max, y_max = letterbox.to_original([found[0].box])[0]
    assert truth.x_min < (x_min + x_max) / 2 < truth.x_max
    assert truth.y_min < (y_min + y_max) / 2 < truth.y_max
    assert found[0].score > 2 * max((one.score for one in found[1:]), default=0.0)
