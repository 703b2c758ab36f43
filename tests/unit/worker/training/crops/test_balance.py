"""Rare species may count more while the second stage learns; its answers expect them as often as they came."""

from __future__ import annotations

import numpy as np
import pytest

from db.domain.boxes import Box
from db.domain.species import LabelSet
from worker.models.names import Balance
from worker.training.crops.calibrate import log_prior_shift
from worker.training.crops.features import Canvases, CropShape
from worker.training.crops.finetune import draw_order
from worker.training.crops.samples import CropSample
from worker.training.crops.settings import CropRows, CropTrainSettings
from worker.training.crops.train import balance_weights
from worker.training.probe import fit_probe
from worker.vision.crop_answers import crop_distributions

LABELS = LabelSet(("ALB", "BET", "NoF"))
COUNTS = {"ALB": 90, "BET": 10}  # nobody saw NoF


def crops() -> list[CropSample]:
    return [
        CropSample(b"boat/1.jpg", f"{species} {number}", "boat", Box(0, 0, 9, 9), species, 90, 60)
        for species, count in COUNTS.items()
        for number in range(count)
    ]


def settings(balance: Balance, *, by_sampling: bool = False) -> CropTrainSettings:
    return CropTrainSettings(label_set=LABELS, balance=balance, by_sampling=by_sampling)


@pytest.mark.parametrize(
    ("balance", "weights"),
    [
        (Balance.NONE, (1.0, 1.0)),
        (Balance.ROOT, (100 / (90**0.5 + 10**0.5) / 90**0.5, 100 / (90**0.5 + 10**0.5) / 10**0.5)),
        (Balance.FULL, (50 / 90, 50 / 10)),  # either species counts 50 of 100
    ],
    ids=str,
)
def test_a_balance_says_what_a_crop_of_each_species_counts(balance: Balance, weights: tuple[float, float]) -> None:
    found = balance_weights(crops(), settings(balance))

    assert found[:2] == pytest.approx(weights) and found[2] == 1.0


@pytest.mark.parametrize("balance", Balance)
def test_whatever_counts_more_the_answers_expect_the_species_as_often_as_they_came(balance: Balance) -> None:
    """Features that say nothing: all that can be learnt is how often each species comes."""
    samples, nothing = crops(), np.zeros((100, 2), dtype=np.float32)
    species = np.array([LABELS.index(sample.species) for sample in samples])
    weights = balance_weights(samples, settings(balance))
    probe = fit_probe(nothing, species, weights[species].astype(np.float32), count=3, folds=[])

    shift = log_prior_shift(species, np.ones(100), weights)

    said = crop_distributions(probe.logits(nothing[:1]), turns=1, log_prior_shift=shift, temperature=1.0)[0]
    assert said == pytest.approx([0.9, 0.1, 0.0], abs=0.005)


def test_by_sampling_rare_species_are_shown_as_often_as_they_would_have_counted() -> None:
    rows = _rows(settings(Balance.FULL))

    order, weights = draw_order(rows, np.random.default_rng(0), settings(Balance.FULL, by_sampling=True))

    assert (weights == 1.0).all() and len(order) == len(rows)
    assert np.mean(rows.species[order] == LABELS.index("BET")) == pytest.approx(0.5, abs=0.1)


def test_by_weight_every_crop_is_shown_once_and_counts() -> None:
    rows = _rows(settings(Balance.FULL))

    order, weights = draw_order(rows, np.random.default_rng(0), settings(Balance.FULL))

    assert sorted(order) == list(range(100)) and (weights == rows.weights).all()


def _rows(asked: CropTrainSettings) -> CropRows:
    samples = crops()
    species = np.array([LABELS.index(sample.species) for sample in samples])
    weights = balance_weights(samples, asked)[species].astype(np.float32)
    return CropRows(samples, species, weights, Canvases(CropShape(64, 0.1), {}, ()))
