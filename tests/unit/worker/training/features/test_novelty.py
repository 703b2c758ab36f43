"""An image is unlike all that was learnt from where it lies farther out than any camera did when it was left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.distance import mahalanobis

from worker.training.features.novelty import fit_novelty

DIMENSIONS = 12
IMAGES = 30


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def camera(rng: np.random.Generator, *, offset: float = 1.0) -> npt.NDArray[np.float64]:
    """Features of one camera's images: near its own place, which lies anywhere about the fleet's."""
    return rng.normal(scale=offset, size=DIMENSIONS) + rng.normal(scale=0.5, size=(IMAGES, DIMENSIONS))


def fleet(rng: np.random.Generator, cameras: int) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Features of several cameras' images, and the camera of each."""
    features = np.concatenate([camera(rng) for _ in range(cameras)])
    return features, [f"boat_{number}" for number in range(cameras) for _ in range(IMAGES)]


def test_new_cameras_of_the_fleet_are_known_and_another_world_is_not(rng: np.random.Generator) -> None:
    scale = fit_novelty(*fleet(rng, 6))
    assert scale is not None

    new = np.concatenate([scale.of(camera(rng)) for _ in range(40)])
    reef = scale.of(camera(rng) + 6.0)

    assert np.mean(new > 1.0) < 0.15
    assert reef.min() > 1.0


def test_the_edge_is_where_the_farthest_camera_lay_and_a_fifth_more(rng: np.random.Generator) -> None:
    features, cameras = fleet(rng, 4)
    features[-IMAGES:] += 3.0  # one camera that looks different
    wide, narrow = fit_novelty(features, cameras), fit_novelty(features[:-IMAGES], cameras[:-IMAGES])
    assert wide is not None and narrow is not None

    # Whoever has seen a fleet with an odd camera finds less unlike it.
    other = camera(rng) + 4.0
    assert wide.of(other).mean() < narrow.of(other).mean()


def test_a_camera_with_many_images_counts_as_one(rng: np.random.Generator) -> None:
    features, cameras = fleet(rng, 4)
    once = fit_novelty(features, cameras)
    copied = np.concatenate([features, *[features[:IMAGES]] * 5])
    often = fit_novelty(copied, [*cameras, *cameras[:IMAGES] * 5])
    assert once is not None and often is not None

    np.testing.assert_allclose(once.of(features), often.of(features), rtol=1e-9)


def test_with_all_cameras_alike_it_is_the_distance_of_mahalanobis(rng: np.random.Generator) -> None:
    features, cameras = fleet(rng, 5)
    scale = fit_novelty(features, cameras)
    assert scale is not None
    spread = np.cov(features.T, bias=True)
    shrunk = 0.7 * spread + 0.3 * np.trace(spread) / DIMENSIONS * np.eye(DIMENSIONS)

    expected = [mahalanobis(row, features.mean(axis=0), np.linalg.inv(shrunk)) for row in features[:5]]

    ratio = np.array(expected) / scale.of(features[:5])
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)  # the unit apart


def test_two_cameras_tell_nothing(rng: np.random.Generator) -> None:
    assert fit_novelty(*fleet(rng, 2)) is None
