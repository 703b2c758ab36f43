"""A plan that is half reviewed: what was looked at is a smaller sample, for figures that are only so far."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from annotator.estimates.weighted_sums import Floats
from db.domain.plans import PlanDesign


def probability_so_far(
    probability: Floats, certain: npt.NDArray[np.bool_], design: PlanDesign, *, units: int | None = None
) -> Floats:
    """Return the probability of each answered image to be in the plan and answered. (m,)

    probability, certain: (m,), of the answered images. A plan shows its images in an order by chance, so that those
    answered first are a sample of the plan: of both its parts the shares answered. Where all are answered the
    probabilities stay as they were drawn. units: of a plan of whole days or trips, how many were looked at to their
    end; a folder shows one after the other, in an order by chance.

    >>> design = PlanDesign(seed=0, certain=1, drawn=2)
    >>> probability_so_far(np.array([1.0, 0.2]), np.array([True, False]), design).tolist()
    [1.0, 0.1]
    """
    found = probability.astype(np.float64, copy=True)
    if units is not None:
        return found * min(1.0, units / design.units)
    for part, size in ((certain, design.certain), (~certain, design.drawn)):
        if part.any():
            found[part] *= min(1.0, part.sum() / size)
    return found
