"""The feature cache: computed once, found again only by exactly what it depends on, repaired where it was damaged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.drawn_fish import draw_fleet
from worker.models.errors import TrainingError
from worker.training.data.samples import TrainingSample
from worker.training.features.cache import FeatureKey, Shard, open_cache, write_shard
from worker.training.features.compute import ComputedFeatures, ImageView, compute_features

INPUT_HW = (64, 96)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSample]:
    return draw_fleet(tmp_path_factory.mktemp("fleet"), 6)


class _Cache:
    """Computes features into one folder and remembers how far each call had to go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[tuple[int, int]] = []

    def compute(self, samples: list[TrainingSample], view: ImageView | None = None) -> ComputedFeatures:
        self.calls.clear()
        return compute_features(
            samples,
            trunk="efficientnet_lite0",
            weights="imagenet",
            input_hw=INPUT_HW,
            features_dir=self.folder,
            view=view,
            progress=lambda done, total: self.calls.append((done, total)),
        )


@pytest.fixture
def cache(tmp_path: Path) -> _Cache:
    return _Cache(tmp_path / "features")


def test_a_second_look_at_a_image_costs_nothing_and_a_torn_shard_is_computed_again(
    cache: _Cache, samples: list[TrainingSample]
) -> None:
    names = [sample.sha256 for sample in samples]
    first = cache.compute(samples).features.gather(names)
    second = cache.compute(samples).features.gather(names)
    assert cache.calls == [(6, 6)]
    assert np.array_equal(first, second)

    shard = next(cache.folder.rglob("*.f16"))
    shard.write_bytes(shard.read_bytes()[:-10])
    assert np.array_equal(cache.compute(samples).features.gather(names), first)
    assert cache.calls[0] == (0, 6)

    shard = next(cache.folder.rglob("*.f16"))
    shard.write_bytes(b"\x00" * 10 + shard.read_bytes()[10:])
    assert np.array_equal(cache.compute(samples).features.gather(names), first)
    assert cache.calls[0] == (0, 6)


def test_a_byte_that_turned_on_the_disk_is_noticed_when_it_is_read(
    cache: _Cache, samples: list[TrainingSample]
) -> None:
    names = [sample.sha256 for sample in samples]
    cache.compute(samples)
    shard = next(cache.folder.rglob("*.f16"))
    before = shard.stat()
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))

    features = cache.compute(samples).features
    with pytest.raises(TrainingError, match="damaged on the disk"):
        features.gather(names)

    cache.compute(samples)
    assert cache.calls[0] == (0, 6)


def test_a_changed_image_or_view_never_meets_an_old_feature(
    cache: _Cache, samples: list[TrainingSample], tmp_path: Path
) -> None:
    plain = cache.compute(samples[:1]).features.gather([samples[0].sha256])
    edited = tmp_path / "edited.png"
    edited.write_bytes(Path(os.fsdecode(samples[1].file)).read_bytes())
    other = dataclasses.replace(
        samples[0], file=os.fsencode(edited), sha256=hashlib.sha256(edited.read_bytes()).hexdigest()
    )

    changed = cache.compute([other])
    assert cache.calls[0] == (0, 1)
    assert not np.array_equal(changed.features.gather([other.sha256]), plain)

    darker = cache.compute(samples[:1], ImageView("half", lambda pixels, sample: pixels // 2))
    assert cache.calls[0] == (0, 1)
    assert not np.array_equal(darker.features.gather([samples[0].sha256]), plain)


@pytest.mark.parametrize(
    "changes",
    [{"trunk": "vgg16"}, {"weights": "imagenet"}, {"layer": "b"}, {"input_hw": (96, 64)}, {"view": "mirror"}],
    ids=lambda changes: next(iter(changes)),
)
def test_another_trunk_weights_layer_size_or_view_is_another_folder(changes: dict[str, object]) -> None:
    key = FeatureKey("efficientnet_lite0", "0123", "a", (64, 96))

    assert dataclasses.replace(key, **changes).folder_name != key.folder_name


def test_two_processes_that_compute_the_same_images_leave_one_whole_cache(
    cache: _Cache, samples: list[TrainingSample]
) -> None:
    code = (
        "import pickle, sys\n"
        "from pathlib import Path\n"
        "from worker.training.features.compute import compute_features\n"
        "samples = pickle.load(sys.stdin.buffer)\n"
        "compute_features(samples, trunk='efficientnet_lite0', weights='imagenet', input_hw=(64, 96),"
        f" features_dir=Path({str(cache.folder)!r}))\n"
    )
    import pickle

    both = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(2)]
    for process in both:
        process.communicate(pickle.dumps(samples), timeout=120)
    assert [process.returncode for process in both] == [0, 0]

    cache.compute(samples)
    assert cache.calls == [(6, 6)]


def test_an_unreadable_or_changed_image_is_reported_and_left_out(
    cache: _Cache, samples: list[TrainingSample], tmp_path: Path
) -> None:
    odd = tmp_path / "odd.jpg"
    odd.write_bytes(b"no image")
    broken = dataclasses.replace(samples[0], file=os.fsencode(odd), sha256=hashlib.sha256(b"no image").hexdigest())
    changed = dataclasses.replace(samples[1], sha256="0" * 64)

    computed = cache.compute([broken, changed, samples[2]])

    assert {bad.file for bad in computed.unreadable} == {broken.file, changed.file}
    assert "changed since it was labelled" in computed.unreadable[1].text
    assert samples[2].sha256 in computed.features
    assert cache.calls[-1] == (3, 3)


def test_opening_a_cache_reads_no_feature_and_forgets_old_drafts(tmp_path: Path) -> None:
    write_shard(tmp_path, "run-0", ["a", "b"], np.ones((2, 1, 1, 4), dtype=np.float16))
    draft = tmp_path / ".a1b2.part"
    draft.write_bytes(b"half")
    os.utime(draft, (0, 0))
    young = tmp_path / ".c3d4.part"
    young.write_bytes(b"half")

    held = open_cache(tmp_path)

    assert sorted(held) == ["a", "b"]
    assert not draft.exists() and young.exists()
    index = json.loads((tmp_path / "run-0.json").read_bytes())
    index["crc32"] += 1  # never looked at while the file is as it was written
    (tmp_path / "run-0.json").write_text(json.dumps(index))
    assert sorted(open_cache(tmp_path)) == ["a", "b"]
    with pytest.raises(TrainingError):
        Shard(tmp_path / "run-0.json")[0]
