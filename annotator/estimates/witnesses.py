"""What an estimate stands on: images that were drawn one by one, or whole days or trips, one witness each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotator.estimates.totals import Frame, Reviewed
from annotator.estimates.weighted_sums import Floats

Codes = npt.NDArray[np.int64]
# Of fewer whole units that deviate their mean deviation tells little; what a unit holds stands for it.
_FEWEST_DEVIATING = 5


@dataclass(frozen=True)
class Witnesses:
    """The reviewed witnesses of all groups. group: (r,) of each. free: (G,) how many could be drawn in each group.

    event_size: how much one more deviation would be. mean_probability: of the draw, over all.
    """

    rows: Reviewed
    group: Codes
    free: Codes
    event_size: float
    mean_probability: float

    def of_group(self, group: int) -> Reviewed:
        """Return the witnesses of one group."""
        return self.rows.only(self.group == group)

    def frame(self, group: int, predicted: float) -> Frame:
        """Return what could be drawn in one group. predicted: the model's total of it."""
        return Frame(int(self.free[group]), predicted, self.event_size, self.mean_probability)


def single_images(
    truth: Floats,
    predicted: Floats,
    probability: Floats,
    *,
    reviewed: Codes,
    free: npt.NDArray[np.bool_],
    groups: Codes,
    typical: float = 1.0,
) -> Witnesses:
    """Return images that were drawn one by one. predicted, free, groups: (N,) of all images; the others (n,).

    typical: the least that one more deviation is.
    """
    count = int(groups.max(initial=-1)) + 1
    rows = Reviewed(truth, predicted[reviewed], probability)
    there = np.bincount(groups[free], minlength=count)
    return Witnesses(
        rows, groups[reviewed], there, _event_size(predicted, typical), _share(len(reviewed), int(free.sum()))
    )


def whole_units(
    truth: Floats,
    predicted: Floats,
    probability: Floats,
    *,
    reviewed: Codes,
    free: npt.NDArray[np.bool_],
    groups: Codes,
    units: Codes,
    typical: float = 1.0,
) -> Witnesses:
    """Return units that were drawn whole, each by the totals of its images: frames of one day share their errors.

    units: (N,) of all images; the others as for `single_images`. A unit that lies in several groups is a witness in
    each. One more deviation is as large as those seen are on average, at most as what a unit holds.

    Source: Särndal, Swensson and Wretman 1992, section 4.2 (single-stage clusters).
    """
    count = int(groups.max(initial=-1)) + 1
    of_all = groups * (int(units.max(initial=-1)) + 1) + units  # (N,)
    every, place = np.unique(of_all, return_inverse=True)
    group_of = np.zeros(len(every), dtype=np.int64)
    group_of[place] = groups
    free_units = np.bincount(place, weights=free) > 0.0  # (units,)
    seen, first, back = np.unique(place[reviewed], return_index=True, return_inverse=True)
    rows = Reviewed(
        _sums(back, truth, len(seen)),
        _sums(back, predicted[reviewed], len(seen)),
        probability[first],
    )
    size = _event_size(_sums(place, predicted, len(every)), typical)
    deviations = np.abs(rows.truth - rows.predicted)
    if np.count_nonzero(deviations) >= _FEWEST_DEVIATING:
        size = min(size, float(deviations[deviations > 0.0].mean()))
    there = np.bincount(group_of[free_units], minlength=count)
    drawn, drawable = (len(np.unique(units[of])) for of in (reviewed, free))
    return Witnesses(rows, group_of[seen], there, size, _share(drawn, drawable))


def _sums(codes: Codes, values: Floats, count: int) -> Floats:
    return np.bincount(codes, weights=values, minlength=count).astype(np.float64)


def _event_size(predicted: Floats, typical: float) -> float:
    """Return how many fish a witness holds that holds some, each fish counted alike; at least what is typical."""
    total = float(predicted.sum())
    return max(typical, float((predicted**2).sum()) / total) if total > 0.0 else typical


def _share(drawn: int, drawable: int) -> float:
    return min(1.0, drawn / drawable) if drawn and drawable else 1.0
