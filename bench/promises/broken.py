"""Estimators that look right and are not: the bench must find them out."""

from __future__ import annotations

import numpy as np

from annotator.estimates.figures import Sample
from annotator.estimates.weighted_sums import Floats
from annotator.plans.draw import Codes
from annotator.plans.make import Chosen
from bench.promises.play import WRONG
from bench.promises.seasons import Season
from db.domain.estimates import Estimate

_NORMAL_95 = 1.96


def unweighted_mean(sample: Sample, figures: tuple[str, ...], groups: Codes) -> dict[tuple[str, int], Estimate | None]:
    """Return the mean of the reviewed images times the number of images, as if they were all alike and independent."""
    found: dict[tuple[str, int], Estimate | None] = {}
    for figure in (*figures, WRONG):
        truth = sample.wrong if figure == WRONG else sample.truth(figure)[1]
        for group in range(int(groups.max()) + 1):
            there = truth[groups[sample.reviewed] == group]
            images = 1 if figure == WRONG else int((groups == group).sum())
            found[figure, group] = _scaled(there, images) if len(there) > 1 else None
    return found


def whole_cameras(season: Season, cameras: int, *, seed: int) -> Chosen:
    """Return all images of a few cameras, as a reviewer likes them; each image has the same probability."""
    every = np.unique(season.answers.camera)
    taken = np.random.default_rng(seed).choice(every, cameras, replace=False)
    places = np.flatnonzero(np.isin(season.answers.camera, taken))
    return Chosen(places, np.full(len(places), cameras / len(every)), np.zeros(len(places), dtype=bool))


def _scaled(truth: Floats, images: int) -> Estimate:
    mean, error = float(truth.mean()), _NORMAL_95 * float(truth.std(ddof=1)) / np.sqrt(len(truth))
    return Estimate(mean * images, (mean - error) * images, (mean + error) * images)
