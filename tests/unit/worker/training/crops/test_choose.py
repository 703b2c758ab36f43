"""A frozen probe and neighbours are heard only where most cameras that were not learnt from gain by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worker.training.crops.choose import choose_mixture, choose_neighbours, log_prior_of, with_neighbours
from worker.training.crops.outputs import CropOutputs, Embedding, UnseenCrops

NO_SHIFT = np.zeros(3)


def _crops(*, cameras: int, features_tell: bool, seed: int = 4) -> UnseenCrops:
    """Crops of three species, 40 a camera; each network is right on its own two thirds of them."""
    rng = np.random.default_rng(seed)
    count = 40 * cameras
    species = rng.integers(0, 3, count)
    pooled = (np.eye(3)[species] if features_tell else np.ones((count, 3))) + rng.normal(0, 0.1, (count, 3))
    tuned, frozen = (
        np.eye(3)[np.where(rng.random(count) < 2 / 3, species, rng.integers(0, 3, count))] * 2.0 for _ in range(2)
    )
    names = np.array([f"camera {number % cameras}" for number in range(count)])
    said = CropOutputs(tuned[:, None].astype(np.float32), pooled.astype(np.float32))
    return UnseenCrops(species, names, said, frozen[:, None].astype(np.float32))


def test_a_second_network_with_faults_of_its_own_is_heard() -> None:
    mixture = choose_mixture(_crops(cameras=5, features_tell=False), NO_SHIFT, NO_SHIFT, turns=1)

    assert mixture is not None
    assert mixture.shift == pytest.approx(NO_SHIFT)


def test_a_second_network_that_says_the_same_or_nothing_is_not() -> None:
    crops = _crops(cameras=5, features_tell=False)
    same = UnseenCrops(crops.species, crops.cameras, crops.said, crops.said.logits)
    noise = np.random.default_rng(0).normal(0, 2, crops.said.logits.shape).astype(np.float32)

    assert choose_mixture(same, NO_SHIFT, NO_SHIFT, turns=1) is None
    assert (
        choose_mixture(UnseenCrops(crops.species, crops.cameras, crops.said, noise), NO_SHIFT, NO_SHIFT, turns=1)
        is None
    )


def test_neighbours_are_heard_where_features_tell_the_species_and_not_where_they_tell_nothing() -> None:
    assert choose_neighbours(_crops(cameras=5, features_tell=True), NO_SHIFT) is not None
    assert choose_neighbours(_crops(cameras=5, features_tell=False), NO_SHIFT) is None


def test_two_cameras_decide_nothing() -> None:
    crops = _crops(cameras=2, features_tell=True)

    assert choose_mixture(crops, NO_SHIFT, NO_SHIFT, turns=1) is None
    assert choose_neighbours(crops, NO_SHIFT) is None


def test_neighbours_of_another_camera_are_not_heard() -> None:
    crops = _crops(cameras=3, features_tell=True)
    mine = crops.cameras == "camera 0"
    alone = UnseenCrops(
        crops.species[mine], crops.cameras[mine], CropOutputs(crops.said.logits[mine], crops.said.pooled[mine])
    )

    together = with_neighbours(crops, NO_SHIFT).said.logits[mine]

    assert np.allclose(together, with_neighbours(alone, NO_SHIFT).said.logits, atol=1e-5)


def test_a_species_that_never_came_has_the_mean_prior() -> None:
    found = log_prior_of(np.array([0, 0, 0, 1]), np.ones(4), count=3)

    assert found == pytest.approx([np.log(0.75), np.log(0.25), (np.log(0.75) + np.log(0.25)) / 2])


def test_what_all_crops_share_says_nothing_about_who_is_whose_neighbour() -> None:
    """Pooled features after a ReLU are all positive; taken as they are, all neighbours look equally near."""
    crops = _crops(cameras=5, features_tell=True)
    raw = replace(crops, said=replace(crops.said, pooled=crops.said.pooled + 30.0))

    plain, shifted = (
        with_neighbours(Embedding.fitted(one.said.pooled).of(one), NO_SHIFT).said.logits for one in (crops, raw)
    )

    assert np.allclose(plain, shifted, atol=1e-3)
    assert not np.allclose(plain, with_neighbours(raw, NO_SHIFT).said.logits, atol=0.05)


def test_an_embedding_has_no_crops_where_there_are_none() -> None:
    crops = _crops(cameras=2, features_tell=True)
    none = UnseenCrops(
        crops.species[:0], crops.cameras[:0], CropOutputs(crops.said.logits[:0], np.zeros((0, 1), dtype=np.float32))
    )

    assert len(Embedding.fitted(crops.said.pooled).of(none)) == 0
