"""The recipe of `cli train` judged as a whole: everything trained anew for each fold, and what its models say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import LabelSet
from tests.integration.test_finetune_crops import small_trunk, use_trunk
from worker.evaluation.whole_recipe import WholeRecipe, evaluate_whole
from worker.models.names import CropMethod, DetectorKind
from worker.training.crops.settings import CropTrainSettings
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import Fold
from worker.training.detector.settings import TrainSettings

_SPECIES = LabelSet(("ALB", "LAG", "NoF"))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSample]:
    """Six cameras of eight images of noise with a box of one of two species."""
    folder = tmp_path_factory.mktemp("images")
    return [_sample(folder, camera, number) for camera in range(6) for number in range(8)]


def _sample(folder: Path, camera: int, number: int) -> TrainingSample:
    rng = np.random.default_rng([camera, number])
    file = folder / f"{camera}-{number}.png"
    Image.fromarray(rng.integers(0, 255, (90, 160, 3), dtype=np.uint8)).save(file)
    x, y = (int(one) for one in rng.integers(5, 40, 2))
    species = ("ALB", "LAG")[number % 2]
    label = ImageLabel(species, (LabelledBox(Box(x, y, x + 40, y + 20), species),))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return TrainingSample(str(file).encode(), digest, f"boat {camera}", label, 160, 90)


def test_every_camera_is_judged_once_by_a_model_that_has_not_seen_it(
    samples: list[TrainingSample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_trunk(small_trunk, monkeypatch.setattr)
    first = np.arange(24)
    folds = [Fold(first + 24, first), Fold(first[:16], first + 24)]  # the second learns from too few crops
    recipe = WholeRecipe(
        TrainSettings(kind=DetectorKind.CENTRE, weights="random", input_hw=(96, 160), epochs=1, label_set=_SPECIES),
        CropTrainSettings(method=CropMethod.FROZEN, weights="random", label_set=_SPECIES, crop_px=64, views=1, turns=1),
        tmp_path / "features",
        tmp_path / "work",
    )
    told: set[str] = set()

    evaluated, answers, verdicts = evaluate_whole(
        recipe,
        samples,
        folds,
        heatmaps=False,
        on_skipped=lambda skipped: None,
        progress=lambda stage, done, total: told.add(stage.split(":")[0]),
    )

    assert sorted(one.sha256 for one in evaluated.samples) == sorted(one.sha256 for one in samples)
    assert {(one.camera, fold) for one, fold in zip(evaluated.samples, evaluated.folds, strict=True)} == {
        (f"boat {camera}", camera // 3) for camera in range(6)
    }
    assert [one.name for one in answers][-2:] == ["first_stage", "final_answer"]
    first_stage, final = answers[-2], answers[-1]
    assert final.probabilities.shape == (48, 3) and np.allclose(final.probabilities.sum(axis=1), 1.0)
    assert len(final.found or ()) == 48
    assert "needs at least 16 crops" in verdicts[1].no_second_stage and not verdicts[0].no_second_stage
    second = evaluated.folds == 1
    assert np.array_equal(final.probabilities[second], first_stage.probabilities[second])
    assert any("its figures may be chance" in text for text in verdicts[0].cautions)
    assert told == {"fold 1 of 2", "fold 2 of 2"}
