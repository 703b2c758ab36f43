"""A plan that is half reviewed: what was looked at is a smaller sample, for figures that are only so far."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from annotator.estimates.weighted_sums import Floats


def probability_so_far(
    probability: Floats, *, certain: npt.NDArray[np.bool_], answered: npt.NDArray[np.bool_]
) -> Floats:
    """Return the probability of each answered image to be in the plan and answered, in the order of the plan. (m,)

    probability, certain, answered: (n,), one an image of the plan. A plan shows its images in an order by chance, so
    those answered first are a sample of the plan: both its parts by their shares answered. Where all are answered the
    probabilities stay as they were drawn.

    >>> probability_so_far(np.array([1.0, 0.2, 0.2]), certain=np.array([True, False, False]),
    ...     answered=np.array([True, True, False])).tolist()
    [1.0, 0.1]
    """
    found = probability.astype(np.float64, copy=True)
    for part in (certain, ~certain):
        if part.any():
            found[part] *= answered[part].mean()
    return np.asarray(found[answered])
